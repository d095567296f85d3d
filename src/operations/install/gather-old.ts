import { lstat, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import type { VersionRecord } from '../../contract/image.ts';
import type { Digest } from '../../foundation/brand.ts';
import { formatBytes } from '../../foundation/bytes.ts';
import { toImprintError } from '../../foundation/errors.ts';
import type { Task } from '../../foundation/task.ts';
import { parseInstalledLayout } from '../../machine/boot-records.ts';
import { agentPaths, bootPartitionPaths, hostPaths, type InstalledLayout } from '../../machine/installed-layout.ts';
import { gatherLimit } from '../../planning/gather-old.ts';
import type { StepOf } from '../../planning/step.ts';
import type { Store } from '../../store/store.ts';
import { mountDevice, unmountTree, untouchedOptions } from '../../system/mount.ts';
import { rootFiles } from '../../system/root-files.ts';
import { hexOf } from '../../tree/converge-writer.ts';
import { LocalChunks } from '../update/local-chunks.ts';
import { readSlotVersion, type SlotVersion } from '../update/slot-version.ts';
import { type InstallContext, type OldSystem, oldDirectory } from './install-context.ts';

/** Milliseconds after which the rest is fetched: a disk that dies must not hold an install up. */
const patience = 300_000;
/** Longer records and manifests are not of ours. */
const longestRecord = 1 << 20;
const longestManifest = 128 << 20;

/**
 * Takes what the version shares with the system that goes into memory, each chunk verified. Its file systems are only read, and let go of. It is only a gain:
 * whatever is wrong with the old system is a warning, and then the version is fetched.
 */
export async function gatherOld(step: StepOf<'gather-old'>, context: InstallContext, task: Task): Promise<void> {
  const { old, processes, clock } = context;
  if (old === undefined) return;
  const free = old.freeMemory();
  const limit = Math.min(step.most, gatherLimit({ memory: Number.POSITIVE_INFINITY, free }));
  if (limit === 0) {
    task.log(`${formatBytes(free)} of memory are free, which the install itself needs: all is fetched`);
    return;
  }
  task.expect(step.bytes, 'bytes');
  const directory = oldDirectory(context);
  const gathering = new Gathering(context, old, { limit, until: clock.now() + patience }, task);
  await gathering.tolerating('the old system', async () => {
    try {
      // What was left by one that was cut.
      await unmountTree(processes, directory, clock);
      await gathering.gather(step);
    } finally {
      await unmountTree(processes, directory, clock);
    }
  });
  old.chunks.seal();
  const { content, memory } = old.chunks;
  task.log(
    `${formatBytes(content)} of ${step.reference} are on the disk already, and now in ${formatBytes(memory)} of memory`,
  );
}

/** A root of the old system, and which version lies there. */
interface OldRoot {
  root: string;
  version: SlotVersion;
}

class Gathering {
  readonly #context: InstallContext;
  readonly #old: OldSystem;
  readonly #bounds: { limit: number; until: number };
  readonly #task: Task;
  #mounts = 0;

  constructor(context: InstallContext, old: OldSystem, bounds: { limit: number; until: number }, task: Task) {
    this.#context = context;
    this.#old = old;
    this.#bounds = bounds;
    this.#task = task;
  }

  /** Does what may fail without harm. Rejects only when the task was interrupted. */
  async tolerating<Result>(what: string, work: () => Promise<Result>): Promise<Result | undefined> {
    try {
      return await work();
    } catch (thrown) {
      this.#task.signal.throwIfAborted();
      this.#task.warn(`Nothing more is taken from ${what}: ${toImprintError(thrown).message}`);
      return undefined;
    }
  }

  async gather({ boots, systems }: StepOf<'gather-old'>): Promise<void> {
    const roots: string[] = [];
    for (const boot of boots) {
      const layout = await this.tolerating(boot, () => this.#layoutOn(boot));
      for (const { device, fileSystem, uuid } of systems) {
        const isHost = layout?.host?.uuid === uuid;
        if (!isHost && !layout?.slots.some((slot) => slot.uuid === uuid)) continue;
        const root = await this.tolerating(device, () => this.#mount(device, fileSystem));
        if (root === undefined) continue;
        if (isHost) roots.push(...((await this.tolerating(device, () => this.#mountImages(root))) ?? []));
        else roots.push(root);
      }
    }
    const found: OldRoot[] = [];
    for (const root of roots) {
      const version = await this.tolerating(root, () => versionOf(root));
      if (version !== undefined) found.push({ root, version });
    }
    const { record } = this.#old;
    found.sort((a, b) => distance(record, a.version) - distance(record, b.version));
    await using stack = new AsyncDisposableStack();
    const locals: LocalChunks[] = [];
    for (const { root, version } of found) {
      const { signal } = this.#task;
      const read = () => LocalChunks.read(root, version.known, signal, { foreign: true });
      const local = await this.tolerating(root, read);
      if (local === undefined) continue;
      stack.defer(() => local.close());
      locals.push(local);
    }
    if (locals.length > 0) await this.#take(locals);
  }

  async #mount(device: string, type: string, how = ''): Promise<string> {
    const directory = join(oldDirectory(this.#context), String(this.#mounts));
    this.#mounts += 1;
    const options = `${how}${untouchedOptions(type)}`;
    await mountDevice(this.#context.processes, { device, directory, type, options }, this.#task.signal);
    return directory;
  }

  /** What the install made, as the boot partition says it; undefined where that is none of ours. */
  async #layoutOn(device: string): Promise<InstalledLayout | undefined> {
    const directory = await this.#mount(device, 'ext4');
    const path = await plainFile(directory, bootPartitionPaths.layout, longestRecord);
    return path === undefined ? undefined : parseInstalledLayout(await readFile(path, 'utf8'));
  }

  /** Mounts the image files of a host partition; a link, or what people call it, leads to nothing more. */
  async #mountImages(host: string): Promise<string[]> {
    const images = await readdir(await rootFiles(host).resolve(hostPaths.images)).catch((): string[] => []);
    const names = images.filter((name) => name.endsWith('.img')).map((name) => `${hostPaths.images}/${name}`);
    const roots: string[] = [];
    for (const name of names) {
      const path = await plainFile(host, name, Number.POSITIVE_INFINITY);
      if (path === undefined) continue;
      const root = await this.tolerating(name, () => this.#mount(path, 'ext4', 'loop,'));
      if (root !== undefined) roots.push(root);
    }
    return roots;
  }

  /** Takes what is there, frame by frame of the store: one of which a chunk is missing is fetched with all that is in it. */
  async #take(locals: readonly LocalChunks[]): Promise<void> {
    const { chunks, record, store } = this.#old;
    const { limit, until } = this.#bounds;
    for (const names of await wantedFrames(store, record.digest as Digest, locals, this.#task.signal)) {
      const contents = readAll(names, locals);
      if (contents !== undefined) {
        const bytes = contents.reduce((sum, { length }) => sum + length, 0);
        if (chunks.memory + bytes > limit) return;
        for (const [index, name] of names.entries()) chunks.add(name, contents[index] as Buffer);
        this.#task.advance(bytes);
      }
      if (this.#context.clock.now() > until) {
        this.#task.warn('The old disk is slow: the rest is fetched');
        return;
      }
      // Others get their turn.
      await setImmediate();
      this.#task.signal.throwIfAborted();
    }
  }
}

/** The chunks of a version by the frames of the store that hold them, in the order in which they lie there; frames of which one is in no root are left out. */
async function wantedFrames(
  store: Store,
  digest: Digest,
  locals: readonly LocalChunks[],
  signal: AbortSignal,
): Promise<string[][]> {
  const seen = new Set<string>();
  const frames = new Map<string, { pack: string; offset: number; names: string[]; lacks: boolean }>();
  for await (const batch of store.entries(digest)) {
    signal.throwIfAborted();
    const lacking = new Map<string, boolean>();
    for (const { chunks = [] } of batch)
      for (const { hash } of chunks) {
        const name = hexOf(hash);
        if (seen.has(name)) continue;
        seen.add(name);
        lacking.set(name, !locals.some((local) => local.has(hash)));
      }
    const places = lacking.size === 0 ? [] : await store.locate(lacking.keys(), digest);
    for (const [name, { pack, frameOffset: offset }] of places) {
      const key = `${pack} ${offset}`;
      const frame = frames.get(key) ?? { pack, offset, names: [], lacks: false };
      frames.set(key, frame);
      frame.names.push(name);
      frame.lacks ||= lacking.get(name) === true;
    }
  }
  return [...frames.values()]
    .filter(({ lacks }) => !lacks)
    .sort((a, b) => (a.pack === b.pack ? a.offset - b.offset : a.pack < b.pack ? -1 : 1))
    .map(({ names }) => names);
}

/** The content of all these chunks, verified; undefined where one is not there any more. */
function readAll(names: readonly string[], locals: readonly LocalChunks[]): Buffer[] | undefined {
  const contents: Buffer[] = [];
  for (const name of names) {
    let content: Uint8Array | undefined;
    for (const local of locals) content ??= local.read(name);
    if (content === undefined) return undefined;
    contents.push(Buffer.from(content));
  }
  return contents;
}

/** Which version a root says it is. What is said there is checked; what is no plain file is not read. */
async function versionOf(root: string): Promise<SlotVersion | undefined> {
  const record = await plainFile(root, `${agentPaths.state}/version.json`, longestRecord);
  const manifest = await plainFile(root, `${agentPaths.state}/manifest`, longestManifest);
  return record === undefined || manifest === undefined ? undefined : readSlotVersion(root);
}

/** Path of a file below a root, which no link leads out of; undefined where it is none, a link itself, or longer. */
async function plainFile(root: string, path: string, longest: number): Promise<string | undefined> {
  const cut = path.lastIndexOf('/');
  const place = join(await rootFiles(root).resolve(path.slice(0, cut)), path.slice(cut + 1));
  const found = await lstat(place).catch(() => undefined);
  return found?.isFile() === true && found.size <= longest ? place : undefined;
}

/** How near a version is to the one that is installed: itself, then those of its image by number, then others. */
function distance(wanted: VersionRecord, { record, digest }: SlotVersion): number {
  if (digest === wanted.digest) return 0;
  return record.image === wanted.image ? Math.abs(record.number - wanted.number) : Number.MAX_SAFE_INTEGER;
}
