import { hash, randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { freemem, release } from 'node:os';
import { join } from 'node:path';
import type { MachineFacts } from '../contract/machine.ts';
import type { Digest } from '../foundation/brand.ts';
import { ImprintError, toImprintError } from '../foundation/errors.ts';
import { uuidFromHash } from '../foundation/hash-uuid.ts';
import { Task } from '../foundation/task.ts';
import { type ImageContent, readImageContent } from '../machine/image-content.ts';
import { frugalNames } from '../machine/live-menu.ts';
import { type LiveStart, liveWords } from '../machine/live-start.ts';
import { mediumPaths } from '../machine/medium-names.ts';
import { executeStep } from '../operations/install/executors.ts';
import { freshIdentity } from '../operations/install/fresh-identity.ts';
import { storeInMemoryOrThere } from '../operations/live/copy-to-memory.ts';
import type { FoundLive } from '../operations/live/find-live.ts';
import type { LiveHost } from '../operations/live/live-host.ts';
import type { LiveInstall } from '../operations/live/live-install.ts';
import { LiveMemory, liveSnapshot } from '../operations/live/live-memory.ts';
import { rootSpace } from '../planning/install-space.ts';
import type { InstallQuestion } from '../planning/plan-install.ts';
import type { Step } from '../planning/step.ts';
import type { Store, StoredVersion } from '../store/store.ts';
import { FileChanges } from '../system/changes-store.ts';
import { LineSocket } from '../system/line-socket.ts';
import { MemoryStore } from '../system/memory-store.ts';
import { mountPoints, unmountTree } from '../system/mount.ts';
import { rootFiles } from '../system/root-files.ts';
import { rootWriters } from '../system/root-writers.ts';
import type { ConsoleScreen } from './console-screen.ts';
import type { Imager } from './imager-loop.ts';
import { guardOf, type OrderResult } from './install-order.ts';
import { type AnsweringOrders, answerLive } from './live-control.ts';
import { carryOnLive, goOnLive, orderOfNote } from './live-order.ts';
import { LiveOrders, type LiveSystem } from './live-orders.ts';
import { MoveOrders } from './move-orders.ts';
import { SourceAway } from './source-away.ts';
import { WatchedMove } from './watched-move.ts';

/** Where a live system comes from. */
export interface LivePlace {
  /** Path of the store. */
  store: string;
  /** Whether it is a copy in memory, and nothing else is needed. */
  inMemory?: boolean;
  /** For what the system writes; absent: that is kept in memory. */
  changes?: { device: string; fresh: boolean };
}

/** A machine that starts a version of a medium, or of a partition, as a live system. */
export interface LiveMedium {
  readonly start: LiveStart;
  /** What it lies on, for people: `the medium …`. */
  readonly from: string;
  readonly imager: Omit<Imager, 'server' | 'screen'>;
  readonly host: LiveHost;
  readonly screen: ConsoleScreen;
  /** Directory of sockets that the system sees below its own `/run`. */
  readonly control: string;
  /** Where the started system's root is, for this process. */
  readonly systemRoot: string;
  /** As `local.cfg` says. */
  readonly hostName?: string;
  network?(facts: MachineFacts): InstallQuestion['network'];
  /** Where its versions lie now, and what is written there; undefined: it is not there. */
  findStore(task: Task, withChanges: boolean): Promise<LivePlace | undefined>;
  /** Looks for the medium in a system that reads it and cannot; absent: it can only come back where it was. Errors: of programs. */
  findAgain?(): Promise<void>;
  /** Lets go of the medium: it can be taken out. */
  releaseMedium(): Promise<void>;
}

/** Of the memory that could be had, how much a system may write into. */
const writable = 0.7;
/** Bytes of content that are kept in memory: the medium is near, and memory is what the system writes into. */
const room = 48 << 20;
const pause = 5000;

/** Starts the system, or goes on with the move of one, and serves its root until the machine goes down. Errors: why it cannot start. */
export async function runLiveMedium(live: LiveMedium): Promise<void> {
  const { imager, screen, start } = live;
  const facts = await imager.readFacts();
  screen.machine(facts, 'none is asked');
  const found = await imager.findLive?.(facts);
  await (found === undefined ? startFresh(live, facts) : goOn(live, found));
  screen.line(`${start.image} runs.`);
  await imager.clock.sleep(2 ** 31 - 1, imager.signal);
}

/** A disk of this machine has what an earlier start wrote, and the medium, where it is still needed, the rest. */
async function goOn(live: LiveMedium, found: FoundLive): Promise<void> {
  const { imager, screen } = live;
  const { signal, clock, installer } = imager;
  const order = orderOfNote(found);
  screen.status(`${order.name}: going on with its move onto ${found.note.device}`);
  if (found.record.phase === 'copying')
    await untilStore(live, `${order.image} of ${live.from}`, false, Task.silent(signal));
  const watched = new WatchedMove(order.id, () => found.note.device);
  const away = sourceAway(live);
  live.host.sourceTold = away.told;
  let current: LiveInstall | undefined;
  const run = (work: (task: Task) => Promise<void>) =>
    Task.run(
      `move ${order.image} onto ${found.note.device}`,
      (event) => {
        screen.event(event);
        watched.push(event);
      },
      work,
      { id: order.id, signal, progressInterval: 250, clock },
    );
  const ended = async (result: OrderResult) => {
    if (result.kind === 'installed') await live.releaseMedium();
    watched.end(result);
  };
  const again = () => {
    if (current !== undefined) void goOnLive(order.name, current, installer, run).then(ended);
  };
  const move = { image: order.image, digest: order.digest, watched, again };
  const orders = new MoveOrders({
    ...{ ...move, problem: () => away.problem },
    needsSource: () => current?.needsSource ?? found.record.phase === 'copying',
  });
  await listen(live, orders);
  const result = await carryOnLive(order, found, installer, run, (begun) => {
    current = begun;
  });
  await ended(result);
  if (result.kind !== 'installed' && !installer.live?.handedOver) throw result.error;
}

function sourceAway({ from, host, imager, findAgain, ...live }: LiveMedium): SourceAway {
  const { clock, signal } = imager;
  const again = findAgain && (() => shareUdev({ host, ...live }).then(findAgain));
  return new SourceAway({
    ...{ clock, signal, from },
    tell: (line) => host.tell(line),
    ...(again && { findAgain: again }),
  });
}

/** Waits for the medium, and says which one. */
async function untilStore(
  { findStore, screen, imager }: LiveMedium,
  what: string,
  withChanges: boolean,
  task: Task,
): Promise<LivePlace> {
  for (let told = false; ; told = true) {
    const place = await findStore(task, withChanges);
    if (place !== undefined) return place;
    if (!told) screen.line(`   ${what} is not here. Plug it in: this goes on by itself then.`);
    screen.status(`Waiting for ${what}`);
    await imager.clock.sleep(pause, imager.signal);
  }
}

async function startFresh(live: LiveMedium, facts: MachineFacts): Promise<void> {
  const { imager, screen, start } = live;
  const { signal, clock } = imager;
  await Task.run(
    `start ${start.image}`,
    (event) => screen.event(event),
    async (task) => {
      const place = await untilStore(live, live.from, true, task);
      const away = sourceAway(live);
      const system = await prepare(live, place, facts, { task, away });
      try {
        const orders = new LiveOrders(system);
        away.also = (problem) => orders.sourceTold(problem);
        await listen(live, orders);
        await live.host.handOver();
      } catch (error) {
        await system.memory.abandon();
        throw error;
      }
      system.memory.watch();
    },
    { signal, clock, progressInterval: 250 },
  );
}

/** The system at the target, as it is to be when its init begins. */
async function prepare(
  live: LiveMedium,
  place: LivePlace,
  facts: MachineFacts,
  { task, away }: { task: Task; away: SourceAway },
): Promise<LiveSystem> {
  const { imager, host, start, systemRoot } = live;
  const { installer, signal } = imager;
  const { processes, clock, target, directory, serveCommand } = host;
  const { store: location, changes } = place;
  const { store, reading, inMemory } = await openVersions(live, place, task);
  const version = await store.find(start.image);
  await guardOf(installer).check(version, 'use', store);
  const content = await readImageContent(store.entries(version.record.digest as Digest));
  requireKernel(version, content);
  if (inMemory) await live.releaseMedium();
  const name = live.hostName ?? `${version.record.image}-live`;
  const memory = await task.part('make its root', (part) =>
    LiveMemory.start(
      {
        ...{ processes, clock, target, directory, location: reading, serveCommand, room },
        ...sourceOf(start, version, clock.now()),
        version: { image: version.record.image, digest: version.record.digest },
        fileSystem: start.fileSystem ?? 'ext4',
        bytes: rootSpace(version.record.stats),
        changes: async (size) =>
          changes === undefined
            ? await MemoryStore.make(
                processes,
                join(directory, 'memory'),
                Math.min(size, wholeBlocks(freemem() * writable)),
                clock,
              )
            : new FileChanges(processes, changes.device, liveSnapshot),
        writers: rootWriters(processes, clock, { name: 'imprint-root', root: systemRoot }),
        moved: () => restoreFstab(target),
        released: async () => {
          await store.close();
          // Memory that is not given back stops nobody.
          if (inMemory) await unmountTree(processes, reading, clock).catch(() => {});
          await live.releaseMedium();
        },
        tell: away.told,
      },
      part,
    ),
  );
  const given: LiveSystem = {
    ...{ host, installer, memory, version, content, store, location, name, signal },
    readFacts: async () => {
      await shareUdev(live);
      return systemFacts(await imager.readFacts());
    },
  };
  try {
    // What an earlier start wrote is there still.
    if (changes?.fresh ?? true) await makeItself(live, given, facts, task);
    return given;
  } catch (error) {
    await memory.abandon();
    throw error;
  }
}

/** On the medium, or where that is wanted and memory suffices, a copy. */
async function openVersions(
  { start, host, imager }: LiveMedium,
  { store: location, inMemory = false }: LivePlace,
  task: Task,
): Promise<{ store: Store; reading: string; inMemory: boolean }> {
  const { installer, signal } = imager;
  if (start.kind === 'frugal' || !start.toram)
    return { store: await installer.openStore(location, signal), reading: location, inMemory };
  const wish = { from: location, to: join(host.directory, 'copy'), reference: start.image };
  const root = { ...(start.fileSystem && { fileSystem: start.fileSystem }) };
  const copied = await storeInMemoryOrThere({ ...wish, ...root, processes: host.processes }, task);
  return { store: await installer.openStore(copied.store, signal), reading: copied.store, inMemory: copied.inMemory };
}

/**
 * What decides the root's bytes beside the version. Changes that outlive a restart are changes of the same bytes; in memory each start is one of its own.
 */
function sourceOf(start: LiveStart, { record }: StoredVersion, now: number): { uuid: string; time: number } {
  if (start.kind !== 'frugal' || start.changes === undefined)
    return { uuid: randomUUID(), time: Math.floor(now / 1000) };
  const { uuid, directory } = start;
  const time = Math.floor(Date.parse(record.created) / 1000);
  return { uuid: uuidFromHash(hash('sha256', JSON.stringify([record.digest, uuid, directory]))), time };
}

function wholeBlocks(bytes: number): number {
  return Math.floor(bytes / 4096) * 4096;
}

function requireKernel({ record }: StoredVersion, content: ImageContent): void {
  const versions = content.kernels.map(({ version }) => version);
  if (versions.includes(release())) return;
  throw new ImprintError('live-unfit', {
    ...{ reference: `${record.image}:${record.number}`, machine: 'this machine' },
    problem: `the medium's kernel is Linux ${release()}, and it has modules for ${versions.join(', ') || 'none'}`,
    hint: 'Make the medium anew: imprint media iso|usb --live',
  });
}

/** Names, keys, mounts and the agent, as an install gives them, in memory. */
async function makeItself(live: LiveMedium, system: LiveSystem, facts: MachineFacts, task: Task): Promise<void> {
  const { processes, clock, target } = live.host;
  const { agent } = live.imager.installer;
  const { content, version, name } = system;
  const commandLine = await readFile('/proc/cmdline', 'utf8').catch(() => '');
  await keepFstab(target);
  const network = live.network?.(facts);
  const golden = version.record.source.hostName;
  const steps: Step[] = [
    {
      kind: 'write-identity',
      name,
      ...(golden !== undefined && { goldenName: golden }),
      machineId: freshIdentity().machineId,
      sshHostKeys: content.sshServer,
      relabel: false,
    },
    ...(network === undefined
      ? []
      : [
          {
            kind: 'write-network' as const,
            network: { ...network, kernelNames: commandLine.includes('net.ifnames=0') },
          },
        ]),
    { kind: 'write-agent', digest: version.record.digest },
  ];
  const context = { processes, clock, target, content, restore: async () => {}, ...(agent && { agent }) };
  for (const step of steps) await executeStep(step, context, task);
}

const fstab = { path: 'etc/fstab', image: 'etc/fstab.image' } as const;
const liveFstab = '# A live system: nothing is mounted from disks. The fstab of the image is /etc/fstab.image.\n';

/** What the image mounts from the golden machine's disks is not here. */
async function keepFstab(root: string): Promise<void> {
  const files = rootFiles(root);
  const text = await files.read(fstab.path);
  if (text !== undefined) await files.write(fstab.image, text);
  await files.write(fstab.path, liveFstab);
}

/** Before an install writes its own: what the image has there counts again, where nobody changed it since. */
export async function restoreFstab(root: string): Promise<void> {
  const files = rootFiles(root);
  const text = await files.read(fstab.image);
  if (text === undefined || (await files.read(fstab.path)) !== liveFstab) return;
  await files.write(fstab.path, text);
  await files.remove(fstab.image);
}

async function listen({ control }: LiveMedium, orders: AnsweringOrders): Promise<void> {
  await LineSocket.listen(join(control, 'control'), (line, reply, gone) => answerLive(orders, line, reply, gone));
}

/** The imager's own udev ended with the hand-over: what the system's knows of disks counts, and is waited for. */
async function shareUdev({ host: { processes }, systemRoot }: Pick<LiveMedium, 'host' | 'systemRoot'>): Promise<void> {
  const path = '/run/udev';
  if ((await mountPoints()).includes(path)) return;
  // As a path it would be taken for our own.
  const args = ['--no-canonicalize', '--bind', `${systemRoot}${path}`, path];
  await processes.run('mount', args, { timeout: 60_000, accept: [0, 32] });
}

/** What the live system itself is made of is nothing to install on. */
function systemFacts(facts: MachineFacts): MachineFacts {
  return { ...facts, disks: facts.disks.filter(({ path }) => !/^\/dev\/(?:nbd|loop|dm-|zram|ram)\d/.test(path)) };
}

/** The imager of a medium, as an entry of a disk that goes on with the move; undefined: the medium is not there. */
export async function mediumImager(
  directory: string,
  start: LiveStart,
): Promise<Awaited<ReturnType<LiveHost['imager']>>> {
  const names =
    start.kind === 'medium' ? [mediumPaths.kernel, mediumPaths.initrd] : [frugalNames.kernel, frugalNames.initrd];
  try {
    const [vmlinuz, initrd] = await Promise.all(names.map((path) => readFile(join(directory, path))));
    if (vmlinuz === undefined || initrd === undefined) return undefined;
    const files = { vmlinuz: hash('sha256', vmlinuz, 'hex'), initrd: hash('sha256', initrd, 'hex') };
    return {
      words: liveWords({ ...start, toram: false }),
      files: {
        ...{ vmlinuz, initrd },
        record: { format: 1, kind: 'imager', key: '', kernel: release(), suite: '', files },
      },
    };
  } catch (thrown) {
    if (toImprintError(thrown).code === 'io-failed') return undefined;
    throw thrown;
  }
}
