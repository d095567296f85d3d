import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ConsoleScreen } from '../../src/agent/console-screen.ts';
import { fetchObject } from '../../src/agent/fetch-object.ts';
import { type Imager, runImager } from '../../src/agent/imager-loop.ts';
import { sendBootCopy } from '../../src/agent/send-boot-copy.ts';
import { serverClient } from '../../src/agent/server-client.ts';
import type { MachineFacts } from '../../src/contract/machine.ts';
import { rawPath } from '../../src/foundation/brand.ts';
import { systemClock } from '../../src/foundation/clock.ts';
import { Task } from '../../src/foundation/task.ts';
import { type PublicKey, parsePublicKey } from '../../src/image/signature.ts';
import { openStore } from '../../src/store/open-store.ts';
import type { Store } from '../../src/store/store.ts';
import { readMachineFacts } from '../../src/system/machine-facts.ts';
import { systemProcesses } from '../../src/system/run.ts';
import { captureDirectory } from '../../src/tree/capture-directory.ts';
import { restoreTree } from '../../src/tree/restore-tree.ts';
import type { LoopDisk } from './loop-disk.ts';
import type { RunningServer } from './server-harness.ts';

/** Of its one network card. */
export const bareMac = '52:54:00:00:00:01';

/** The whole way but the machine: the real server and the real agent, a loop device for a disk, and no power switch. */
export interface Bare {
  imager: Imager;
  /** What stands on its console. */
  console(): string;
  running: Promise<string>;
  /** Bytes that have come from stores over the wire. */
  fetched(): number;
  stop(): Promise<void>;
}

export async function bareMachine(
  server: RunningServer,
  disks: readonly LoopDisk[],
  more: {
    key?: PublicKey;
    onRestore?: (part: Task) => Promise<void>;
    onRestored?: (target: string) => void;
    freeMemory?: () => number;
    hasDisks?: () => Promise<boolean>;
    keepBootCopy?: (copy: { file: string; machine: string }) => Promise<string>;
    directory: string;
  } & Partial<Imager>,
): Promise<Bare> {
  const key = more.key ?? parsePublicKey(await readFile(join(server.data, 'keys/server.pub'), 'utf8'));
  const paths = disks.map(({ device }) => device);
  let text = '';
  const stores: Store[] = [];
  const end = new AbortController();
  const ended = (how: string) => async () => {
    end.abort(how);
  };
  const write = (piece: string) => {
    text += piece;
  };
  const session = randomBytes(16).toString('hex');
  const imager: Imager = {
    server: serverClient(server.url, key),
    screen: new ConsoleScreen({ write, clock: systemClock }),
    clock: systemClock,
    signal: end.signal,
    power: { reboot: ended('rebooted'), powerOff: ended('off') },
    ...(more.network && { network: more.network }),
    ...(more.ordered && { ordered: more.ordered }),
    ...(more.findLive && { findLive: more.findLive }),
    readFacts: async (): Promise<MachineFacts> => {
      const facts = await readMachineFacts(systemProcesses, paths);
      const interfaces = [{ name: 'eth0', mac: bareMac }];
      return {
        ...facts,
        interfaces,
        firmware: 'bios',
        disks: (await more.hasDisks?.()) === false ? [] : facts.disks.filter(({ path }) => paths.includes(path)),
      };
    },
    installer: {
      key,
      server: server.url,
      session,
      processes: systemProcesses,
      clock: systemClock,
      target: join(more.directory, 'target'),
      ...(more.freeMemory && { freeMemory: more.freeMemory }),
      openStore: async (url, signal) => {
        const store = await openStore(url, { signal, retries: 2 });
        stores.push(store);
        return store;
      },
      fetchObject: ({ id, number }, signal) =>
        fetchObject(server.url, { order: id, session, number }, { clock: systemClock, signal }),
      bootCopies: {
        by: 'server',
        keep:
          more.keepBootCopy ??
          ((copy, signal) => sendBootCopy(server.url, { ...copy, session }, { clock: systemClock, signal })),
      },
      restore: async (request) => {
        await more.onRestore?.(request.task);
        const report = await restoreTree({ ...request, keepOnFailure: true });
        more.onRestored?.(request.target);
        return report;
      },
    },
  };
  const running = runImager(imager).then(
    () => 'ended',
    (reason) => (end.signal.aborted ? String(end.signal.reason) : `broke: ${reason}`),
  );
  return {
    imager,
    console: () => text,
    fetched: () => stores.reduce((sum, { traffic }) => sum + traffic.bytes, 0),
    running,
    stop: async () => {
      end.abort('stopped');
      await running;
    },
  };
}

export async function until<Value>(what: string, look: () => Promise<Value | undefined | false>): Promise<Value> {
  for (let tries = 0; tries < 300; tries += 1) {
    const seen = await look();
    if (seen !== undefined && seen !== false) return seen;
    await systemClock.sleep(100);
  }
  throw new Error(`it did not come to this: ${what}`);
}

/** Captures a tree as the next version of `golden`. */
export async function captureInto({ store }: RunningServer, directory: string): Promise<void> {
  const task = Task.silent();
  await using transaction = await store.begin('test', task);
  const { manifest, stats } = await captureDirectory({ directory: rawPath(directory), transaction, task });
  await transaction.commit({
    image: 'golden',
    digest: manifest.digest,
    manifestBytes: manifest.bytes,
    source: { location: directory, architecture: 'x86_64', bootMode: 'bios', disks: [], fileSystems: [] },
    stats,
    excluded: [],
    scrubbed: [],
    warnings: [],
  });
}
