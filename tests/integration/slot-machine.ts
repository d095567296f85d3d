import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { UpdateResult } from '../../src/contract/operations/updates.ts';
import { type Digest, rawPath } from '../../src/foundation/brand.ts';
import { type Clock, systemClock } from '../../src/foundation/clock.ts';
import { ImprintError } from '../../src/foundation/errors.ts';
import { Task, type TaskEvent } from '../../src/foundation/task.ts';
import { parseAgentSettings } from '../../src/machine/agent-settings.ts';
import type { BootPointer } from '../../src/machine/boot-pointer.ts';
import { entryId, type InstalledLayout, partitionSlotName } from '../../src/machine/installed-layout.ts';
import { writeKeptVersion } from '../../src/operations/install/write-agent.ts';
import { readRules, withRules } from '../../src/operations/update/machine-rules.ts';
import type { ThisMachine } from '../../src/operations/update/this-machine.ts';
import { updateMachine } from '../../src/operations/update/update-machine.ts';
import type { UpdateMachineRequest } from '../../src/operations/update/update-work.ts';
import { DirectoryStore } from '../../src/store/directory-store.ts';
import { ensureServerKey } from '../../src/store/keys.ts';
import { manifestPath } from '../../src/store/layout.ts';
import type { StoredVersion } from '../../src/store/store.ts';
import type { VersionDraft } from '../../src/store/transaction.ts';
import { BootPartition } from '../../src/system/boot-partition.ts';
import { makeBootPartition } from '../../src/system/make-boot-partition.ts';
import { systemProcesses } from '../../src/system/run.ts';
import { captureDirectory } from '../../src/tree/capture-directory.ts';
import { makeGoldenTree } from './install-tree.ts';
import { loopDisk } from './loop-disk.ts';

const mebibyte = 1 << 20;
const kernelVersion = '6.1.0-10-amd64';

/** A store in a directory, whose versions the key beside it signs. */
export interface SignedStore {
  readonly directory: string;
  readonly store: DirectoryStore;
  /** Text of `keys/server.pub`. */
  readonly publicKey: string;
}

export async function signedStore(data: string): Promise<SignedStore> {
  const { signer, publicKeyText } = await ensureServerKey(data);
  const directory = join(data, 'store');
  const store = await DirectoryStore.open(directory, { create: true, signer });
  return { directory, store, publicKey: publicKeyText };
}

/** A tree that passes for a system of this machine's kind, as far as can be told without starting it. */
export async function makeBootableTree(root: string): Promise<void> {
  await makeGoldenTree(root);
  for (const directory of ['proc', 'sys', 'dev', 'run', 'tmp', 'var/lib/dpkg']) {
    await mkdir(join(root, directory), { recursive: true });
  }
  // Agent and addition are not what these tests are about.
  await rm(join(root, 'usr/lib/systemd'), { recursive: true });
  const kernel = Buffer.alloc(3_000_000, 'kernel ');
  kernel.write('HdrS', 0x202, 'latin1');
  await writeFile(join(root, `boot/vmlinuz-${kernelVersion}`), kernel);
  const init = Buffer.alloc(64);
  init.write('\x7fELF\x02\x01', 0, 'latin1');
  init.writeUInt16LE(62, 18);
  await writeFile(join(root, 'usr/sbin/init'), init);
}

/** Captures a tree as the next version of `web`. */
export async function commitTree(
  { store }: SignedStore,
  directory: string,
  draft: Partial<VersionDraft> = {},
): Promise<StoredVersion> {
  const task = Task.silent();
  await using transaction = await store.begin('test', task);
  const { manifest, stats } = await captureDirectory({ directory: rawPath(directory), transaction, task });
  return await transaction.commit({
    image: 'web',
    digest: manifest.digest,
    manifestBytes: manifest.bytes,
    source: { location: '/golden', architecture: 'x86_64', bootMode: 'bios', disks: [], fileSystems: [] },
    stats,
    excluded: [],
    scrubbed: [],
    warnings: [],
    ...draft,
  });
}

/**
 * An installed machine with two slots or more, of which `a` runs: its root is a directory, its boot partition and the spare slots lie on a loop device. It updates
 * by the product's own code; nothing of it is ever started.
 */
export interface SlotMachine extends AsyncDisposable {
  readonly root: string;
  readonly layout: InstalledLayout;
  /** Device of slot `b`. */
  readonly spare: string;
  /** What its updates said, of the last one. */
  readonly said: TaskEvent[];
  update(request: Partial<UpdateMachineRequest>, how?: { clock?: Clock; signal?: AbortSignal }): Promise<UpdateResult>;
  /** The error that an update is refused with. */
  refusal(request: Partial<UpdateMachineRequest>, how?: { clock?: Clock }): Promise<ImprintError>;
  machine(clock?: Clock): Promise<ThisMachine>;
  pointer(): Promise<BootPointer | undefined>;
  entries(): Promise<string[]>;
}

/** `golden`: the tree that the machine runs, which is `version` of the store. */
export async function slotMachine(
  { store, publicKey }: SignedStore,
  golden: string,
  version: StoredVersion,
  { slotMegabytes = 600, spares = 1 }: { slotMegabytes?: number; spares?: number } = {},
): Promise<SlotMachine> {
  const stack = new AsyncDisposableStack();
  const disk = stack.use(await loopDisk(((spares + 1) * slotMegabytes + 70) * mebibyte));
  const sizes = Array.from({ length: spares + 1 }, () => `size=${slotMegabytes}MiB`);
  const table = ['label: gpt', 'size=64MiB', ...sizes].join('\n');
  const { run } = systemProcesses;
  await run('sfdisk', ['--quiet', '--no-reread', disk.device], { input: `${table}\n` });
  await run('partx', ['--update', disk.device], { accept: [0, 1] });
  const uuids = await partitionUuids(disk.device);
  const base = stack.adopt(await mkdtemp(join(tmpdir(), 'imprint-slots-')), (path) => rm(path, { recursive: true }));
  const root = join(base, 'root');
  await cp(golden, root, { recursive: true, preserveTimestamps: true, verbatimSymlinks: true });
  await mkdir(join(root, 'etc/imprint'), { recursive: true });
  await writeFile(join(root, 'etc/imprint/server.pub'), publicKey);
  await writeFile(join(root, 'etc/hostname'), 'web01\n');
  const digest = version.record.digest as Digest;
  const manifest = { file: store.path(manifestPath(digest)) };
  await writeKeptVersion(root, { recordText: version.recordText, manifest });
  const slot = (name: string, partitionUuid: string, uuid: string) => ({
    ...{ name, uuid, partitionUuid, fileSystem: 'ext4' as const },
  });
  const boot = '5b1c3d5e-8f0a-4d8e-9c39-2d9c1f6b7a01';
  const layout: InstalledLayout = {
    ...{ format: 1, layout: 'slots', boot, esp: '1234-ABCD' },
    slots: [
      // The last one: what runs is a directory, until it does not run any more.
      slot('a', uuids[spares + 1] ?? '', '22222222-2222-4222-8222-222222222222'),
      ...Array.from({ length: spares }, (_, index) =>
        slot(partitionSlotName(index + 1), uuids[index + 1] ?? '', `33333333-3333-4333-8333-33333333333${index + 3}`),
      ),
    ],
  };
  const reference = `${version.record.image}:${version.record.number}`;
  const bootDevice = `${disk.device}p1`;
  const { entry } = await makeBootPartition(systemProcesses, {
    ...{ device: bootDevice, uuid: boot, mountAt: join(disk.directory, 'boot'), layout, timeout: 2 },
    entry: {
      ...{ id: entryId('a', digest), slot: 'a', reference, digest, title: reference, kernelVersion },
      ...{ kernelOptions: ['ro'], created: '2026-01-01T00:00:00Z' },
    },
    files: { vmlinuz: await readFile(join(root, `boot/vmlinuz-${kernelVersion}`)) },
  });
  const said: TaskEvent[] = [];
  const machine = async (clock = systemClock): Promise<ThisMachine> => {
    const path = join(root, 'etc/imprint/agent.yaml');
    const own = parseAgentSettings(await readFile(path, 'utf8').catch(() => undefined), path);
    const rules = await readRules(root, own);
    const words = { entry: entry.id, sequence: 1 };
    return { processes: systemProcesses, clock, root, settings: withRules(own, rules), rules, words, bootDevice };
  };
  const update: SlotMachine['update'] = async (request, { clock, signal } = {}) => {
    said.length = 0;
    const options = { reboot: 'none' as const, ...request.options };
    const here = await machine(clock);
    const act = (task: Task) => updateMachine(here, { ...request, options }, task);
    return (await Task.run('update', (event) => said.push(event), act, signal === undefined ? {} : { signal })).result;
  };
  const looking = async <Seen>(look: (boot: BootPartition) => Promise<Seen>): Promise<Seen> => {
    await using partition = await BootPartition.open(systemProcesses, bootDevice, { readOnly: true });
    return await look(partition);
  };
  return {
    ...{ root, layout, spare: `${disk.device}p2`, said, update, machine },
    refusal: async (request, how) =>
      update(request, how).then(
        () => Promise.reject(new Error('the update was not refused')),
        (thrown) => {
          if (thrown instanceof ImprintError) return thrown;
          throw thrown;
        },
      ),
    pointer: () => looking((partition) => partition.pointer()),
    entries: async () => (await looking((partition) => partition.entries())).map(({ id }) => id),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

async function partitionUuids(device: string): Promise<string[]> {
  const { stdout } = await systemProcesses.run('sfdisk', ['--json', device]);
  const { partitiontable } = JSON.parse(stdout) as { partitiontable: { partitions: { uuid: string }[] } };
  return partitiontable.partitions.map(({ uuid }) => uuid.toLowerCase());
}
