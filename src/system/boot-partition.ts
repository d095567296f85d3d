import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, readdir, readFile, rename, rm, stat, statfs } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { type Clock, systemClock } from '../foundation/clock.ts';
import { ImprintError, toImprintError } from '../foundation/errors.ts';
import type { BootEntry, BootPointer, TrialCount } from '../machine/boot-pointer.ts';
import {
  choosePointer,
  greatestSequence,
  isEntryId,
  parsePointer,
  parsePointerAsGrub,
  parseTries,
  renderPointer,
  renderTries,
} from '../machine/boot-pointer-block.ts';
import {
  type BootFailure,
  type EntryFileName,
  parseBootEntry,
  parseBootFailure,
  parseInstalledLayout,
  renderBootFailure,
} from '../machine/boot-records.ts';
import { renderEntryConfig, withSystemsHook } from '../machine/boot-script-grub.ts';
import { parseSystemRecords, renderSystemRecords, type SystemRecord } from '../machine/boot-systems.ts';
import { bootPartitionPaths, type InstalledLayout } from '../machine/installed-layout.ts';
import { parseUpdateNote, renderUpdateNote, type UpdateNote } from '../machine/update-note.ts';
import { syncDirectory } from '../store/durable.ts';
import { type BootMount, mountBootPartition } from './boot-mount.ts';
import type { Processes } from './run.ts';

/** Where it is mounted while it is changed, and nowhere else. */
export const bootMountPoint = '/run/imprint/boot';

/** Files of an entry: a path on this machine, or the bytes. */
export interface EntryFiles {
  vmlinuz: string | Uint8Array;
  initrd?: string | Uint8Array;
  addition?: string | Uint8Array;
}

export interface BootPartitionOptions {
  readOnly?: boolean;
  /** Default: `/run/imprint/boot`. */
  mountAt?: string;
  clock?: Clock;
  /** Those of the machine's other disks; asked where it is opened for writing. */
  replicas?: BootReplicas;
}

/** What is done for the boot partitions of a machine's other disks. Neither rejects. */
export interface BootReplicas {
  /** Before anything is looked at: one that was started from, and knows less than another, is brought to what that knows. */
  adoptNewer(open: BootMount, layout: InstalledLayout): Promise<void>;
  /** Before it is let go of: makes the others like it. */
  keepAlike(directory: string, layout: InstalledLayout): Promise<void>;
}

/** Bytes that stay free beside what an entry needs, for directories and the journal of what comes. */
const reserve = 2 * 1024 ** 2;

/**
 * The boot partition of an installed machine (docs/boot.md): mounted privately from `open` until it is disposed of, by one process at a time.
 * Each change is on the disk, read back past the page cache, and as GRUB sees it when its promise resolves.
 *
 * Errors of all: `boot-partition-unfit`, `io-failed`, `process-failed`.
 */
export class BootPartition implements AsyncDisposable {
  readonly device: string;
  readonly #mount: BootMount;
  readonly #replicas: BootReplicas | undefined;

  private constructor(device: string, mount: BootMount, replicas: BootReplicas | undefined) {
    this.device = device;
    this.#mount = mount;
    this.#replicas = replicas;
  }

  /** Opens it. Waits for up to a minute while another process has it open. */
  static async open(processes: Processes, device: string, options: BootPartitionOptions = {}): Promise<BootPartition> {
    const { readOnly = false, mountAt = bootMountPoint, clock = systemClock, replicas } = options;
    const mount = await mountBootPartition(processes, clock, { device, directory: mountAt, readOnly });
    const boot = new BootPartition(device, mount, readOnly ? undefined : replicas);
    await boot.#withReplicas((those, layout) => those.adoptNewer(mount, layout));
    return boot;
  }

  /** What the install made. */
  async layout(): Promise<InstalledLayout> {
    const layout = parseInstalledLayout(await readFile(this.#at(bootPartitionPaths.layout), 'utf8').catch(() => ''));
    return layout ?? this.#unfit(`${bootPartitionPaths.layout} is missing or damaged`);
  }

  /** The record that counts; undefined where both are damaged: GRUB then boots whatever entry there is. */
  async pointer(): Promise<BootPointer | undefined> {
    const [a, b] = await this.#records();
    return choosePointer(a && parsePointer(a), b && parsePointer(b));
  }

  /** What GRUB counted; undefined where that cannot be read: no trial has a try left then. */
  async tries(): Promise<TrialCount | undefined> {
    const block = await this.#block(bootPartitionPaths.tries);
    return block && parseTries(block);
  }

  /**
   * Writes the next record over the older one, in place, and reads it back from the disk. Its entries must be there whole. The record that
   * was written; where `next` has a sequence number, it must be the one after the present record's, or somebody else has written since.
   */
  async writePointer(next: Omit<BootPointer, 'sequence'> & { sequence?: number }): Promise<BootPointer> {
    const blocks = await this.#records();
    const present = choosePointer(
      ...(blocks.map((block) => block && parsePointer(block)) as [BootPointer?, BootPointer?]),
    );
    if (next.sequence !== undefined && next.sequence !== (present?.sequence ?? 0) + 1) {
      this.#unfit(`the pointer has moved on: its record is number ${present?.sequence ?? 0}`);
    }
    const { good, previous, trial, tries } = next;
    // What the present record names already cannot be helped here: a damaged good entry must not keep another from being tried.
    if (good !== present?.good) await this.#requireWhole(good);
    if (trial !== undefined && trial !== present?.trial) await this.#requireWhole(trial);
    if (previous !== undefined && previous !== present?.previous && previous !== present?.good) {
      if ((await this.#entry(previous)) === undefined) this.#unfit(`there is no entry ${previous}`);
    }
    // Above every number that was ever used, also by a record that is damaged now: the counts of tries hang on it.
    const counted = await this.tries();
    // GRUB never mends a count that it cannot read, and would make no trial ever again.
    if (counted === undefined) await this.writeTries({ sequence: 0, left: 0 });
    const used = [
      ...blocks.map((block) => block && parsePointerAsGrub(block)?.sequence),
      counted?.sequence,
      counted?.revert,
    ];
    const sequence = Math.max(0, ...used.map((number) => number ?? 0)) + 1;
    if (sequence > greatestSequence) this.#unfit('its sequence numbers are used up');
    const record: BootPointer = {
      sequence,
      good,
      ...(previous !== undefined && { previous }),
      ...(trial !== undefined && { trial }),
      tries,
    };
    const [a] = blocks;
    const path =
      bootPartitionPaths.pointers[present !== undefined && a && parsePointer(a)?.sequence === present.sequence ? 1 : 0];
    await this.#overwrite(path, renderPointer(record));
    return record;
  }

  /** Writes what GRUB counts: to clear what a hand-dropped image or a revert has left. A new pointer needs it not. */
  async writeTries(count: TrialCount): Promise<void> {
    await this.#overwrite(bootPartitionPaths.tries, renderTries(count));
  }

  /** Every entry that is there whole, by name. */
  async entries(): Promise<BootEntry[]> {
    const ids = (await readdir(this.#at(bootPartitionPaths.slots)).catch((): string[] => [])).filter(isEntryId).sort();
    const entries = await Promise.all(ids.map((id) => this.#entry(id)));
    return entries.filter((entry) => entry !== undefined);
  }

  /**
   * Writes an entry, whole: its files, read back and compared, and last `entry.cfg`, which makes it one. One of that id that is there is
   * replaced, unless the pointer names it. Hashes that `entry` already has must be those of the files. Returns the entry with all hashes.
   * Errors: `disk-full` before anything is written.
   */
  async addEntry(entry: BootEntry | Omit<BootEntry, 'files'>, files: EntryFiles): Promise<BootEntry> {
    const { id } = entry;
    if (!isEntryId(id)) throw new RangeError(`“${id}” is no id of an entry`);
    const given = new Map<EntryFileName, string | Uint8Array>([['vmlinuz', files.vmlinuz]]);
    if (files.initrd !== undefined) given.set('initrd', files.initrd);
    if (files.addition !== undefined) given.set('addition.cpio', files.addition);
    await this.removeEntry(id);
    await this.#removeHalves();
    await this.#requireRoom([...given.values()]);
    const directory = this.#at(bootPartitionPaths.slots, id);
    await mkdir(directory, { recursive: true });
    const hashes: Record<string, string> = {};
    for (const [name, source] of given) hashes[name] = await writeWhole(join(directory, name), source);
    const promised = 'files' in entry ? entry.files : {};
    for (const [name, hash] of Object.entries(promised)) {
      if (hashes[name] !== hash) this.#unfit(`${name} of the entry ${id} is not what was promised`);
    }
    const whole: BootEntry = { ...entry, files: hashes };
    await writeWhole(join(directory, 'entry.json'), Buffer.from(`${JSON.stringify(whole, null, 2)}\n`));
    await this.#mount.settle();
    await this.#compare(id, hashes);
    const config = Buffer.from(renderEntryConfig(whole));
    await writeWhole(join(directory, 'entry.cfg'), config);
    await this.#mount.settle();
    if (!config.equals(await readFile(join(directory, 'entry.cfg'))))
      this.#unfit(`entry.cfg of ${id} reads back differently`);
    return whole;
  }

  /** Where the files of an entry are while the boot partition is open: another entry may be made of them. */
  filesOf({ id, files }: BootEntry): EntryFiles {
    const at = (name: EntryFileName) => this.#at(bootPartitionPaths.slots, id, name);
    return {
      vmlinuz: at('vmlinuz'),
      ...(files.initrd === undefined ? {} : { initrd: at('initrd') }),
      ...(files['addition.cpio'] === undefined ? {} : { addition: at('addition.cpio') }),
    };
  }

  /** Removes an entry, or what is left of one. Nothing there: nothing is done. Refused while the pointer names it. */
  async removeEntry(id: string): Promise<void> {
    const directory = this.#at(bootPartitionPaths.slots, id);
    if (!isEntryId(id) || (await stat(directory).catch(() => undefined)) === undefined) return;
    const records = (await this.#records()).map((block) => block && parsePointerAsGrub(block));
    const present = choosePointer(records[0], records[1]);
    const named = [present?.previous, present?.trial, ...records.map((record) => record?.good)];
    if (named.includes(id)) this.#unfit(`the pointer names the entry ${id}`);
    // Without this one, it is none for GRUB.
    await rm(join(directory, 'entry.cfg'), { force: true });
    await syncDirectory(directory);
    await rm(directory, { recursive: true, force: true });
    await this.#mount.settle();
  }

  /** Why the last trial failed; undefined where nothing is noted. */
  async failure(): Promise<BootFailure | undefined> {
    return parseBootFailure(await readFile(this.#at(bootPartitionPaths.failure), 'utf8').catch(() => ''));
  }

  /** Notes why a trial fails, in place; undefined clears it. */
  async writeFailure(failure: BootFailure | undefined): Promise<void> {
    await this.#overwrite(bootPartitionPaths.failure, Buffer.from(renderBootFailure(failure)));
  }

  /** What userspace noted of the update that goes on. */
  async updateNote(): Promise<UpdateNote | undefined> {
    return parseUpdateNote(await readFile(this.#at(bootPartitionPaths.note), 'utf8').catch(() => ''));
  }

  /** Notes it, in place; undefined clears it. */
  async writeUpdateNote(note: UpdateNote | undefined): Promise<void> {
    await this.#overwrite(bootPartitionPaths.note, Buffer.from(renderUpdateNote(note)));
  }

  /** What is known of systems beside the one that starts by itself. */
  async systemRecords(): Promise<SystemRecord[]> {
    return parseSystemRecords(await readFile(this.#at(bootPartitionPaths.besides), 'utf8').catch(() => ''));
  }

  /** Notes it, in place. */
  async writeSystemRecords(systems: readonly SystemRecord[]): Promise<void> {
    await this.#overwrite(bootPartitionPaths.besides, Buffer.from(renderSystemRecords(systems)));
  }

  /** The menu of other systems as it is; empty where there is none. */
  async systemsMenu(): Promise<string> {
    return readFile(this.#at(bootPartitionPaths.systems), 'utf8').catch(() => '');
  }

  /** Replaces the menu of other systems, and has `grub.cfg` of an earlier install show it. Each is the old or the new file at any moment. */
  async writeSystemsMenu(menu: string): Promise<void> {
    await this.#replace(bootPartitionPaths.systems, menu);
    const config = await readFile(this.#at(bootPartitionPaths.menu), 'utf8');
    const hooked = withSystemsHook(config);
    if (hooked !== config) await this.#replace(bootPartitionPaths.menu, hooked);
  }

  /** Unmounts it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#withReplicas((those, layout) => those.keepAlike(this.#mount.directory, layout));
    await this.#mount[Symbol.asyncDispose]();
  }

  async #withReplicas(work: (replicas: BootReplicas, layout: InstalledLayout) => Promise<void>): Promise<void> {
    if (this.#replicas === undefined) return;
    const layout = await this.layout().catch(() => undefined);
    if (layout !== undefined) await work(this.#replicas, layout);
  }

  #at(...parts: string[]): string {
    return join(this.#mount.directory, ...parts);
  }

  #unfit(problem: string): never {
    throw new ImprintError('boot-partition-unfit', { device: this.device, problem });
  }

  #records() {
    const [a, b] = bootPartitionPaths.pointers;
    return Promise.all([this.#block(a), this.#block(b)]);
  }

  async #block(path: string): Promise<Buffer | undefined> {
    return readFile(this.#at(path)).catch(() => undefined);
  }

  async #entry(id: string): Promise<BootEntry | undefined> {
    const directory = this.#at(bootPartitionPaths.slots, id);
    const [text, config] = await Promise.all(
      ['entry.json', 'entry.cfg'].map((name) => readFile(join(directory, name), 'utf8').catch(() => '')),
    );
    const entry = parseBootEntry(text ?? '');
    // Its text may be another release's, or the shell's: what counts is that GRUB finds it there.
    return entry?.id === id && config?.includes(`--id ${id} `) ? entry : undefined;
  }

  async #requireWhole(id: string): Promise<void> {
    const entry = await this.#entry(id);
    if (entry === undefined) this.#unfit(`there is no whole entry ${id}`);
    await this.#compare(id, entry.files);
  }

  async #compare(id: string, hashes: Readonly<Record<string, string>>): Promise<void> {
    for (const [name, hash] of Object.entries(hashes)) {
      const path = this.#at(bootPartitionPaths.slots, id, name);
      if ((await hashOf(path).catch(() => '')) !== hash)
        this.#unfit(`${name} of the entry ${id} reads back differently`);
    }
  }

  /** What a cut left of entries that were being written, or removed. */
  async #removeHalves(): Promise<void> {
    const whole = (await this.entries()).map(({ id }) => id);
    const named = (await this.#records()).map((block) => block && parsePointerAsGrub(block));
    const kept = [...whole, ...named.flatMap((record) => [record?.good, record?.previous, record?.trial])];
    for (const name of await readdir(this.#at(bootPartitionPaths.slots)).catch((): string[] => [])) {
      if (!kept.includes(name)) await rm(this.#at(bootPartitionPaths.slots, name), { recursive: true, force: true });
    }
  }

  async #requireRoom(sources: (string | Uint8Array)[]): Promise<void> {
    let needed = reserve;
    for (const source of sources) needed += typeof source === 'string' ? (await stat(source)).size : source.length;
    const { bavail, bsize } = await statfs(this.#mount.directory);
    if (bavail * bsize < needed) throw new ImprintError('disk-full', { path: `the boot partition ${this.device}` });
  }

  async #replace(path: string, text: string): Promise<void> {
    const [file, aside] = [this.#at(path), this.#at(`${path}.new`)];
    await writeWhole(aside, Buffer.from(text));
    await rename(aside, file);
    await syncDirectory(dirname(file));
    await this.#mount.settle();
    if ((await readFile(file, 'utf8')) !== text) this.#unfit(`${path} reads back differently`);
  }

  /** Changes a file's bytes where they lie: neither its blocks nor its size change, so that there is no state between for GRUB. */
  async #overwrite(path: string, bytes: Buffer): Promise<void> {
    const file = this.#at(path);
    const size = await stat(file).then(
      (status) => status.size,
      () => -1,
    );
    if (size === bytes.length) {
      await using handle = await open(file, 'r+');
      await handle.write(bytes, 0, bytes.length, 0);
      await handle.sync();
    } else {
      await writeWhole(file, bytes);
      await syncDirectory(this.#at('imprint'));
    }
    await this.#mount.settle();
    if (!bytes.equals(await readFile(file))) this.#unfit(`${path} reads back differently`);
  }
}

/** Writes a file to the disk; returns the SHA-256 of what was written, hexadecimal. Every byte is written: there are no holes. */
async function writeWhole(path: string, source: string | Uint8Array): Promise<string> {
  const hash = createHash('sha256');
  const pieces =
    typeof source === 'string' ? createReadStream(source, { highWaterMark: 2 ** 20 }) : Readable.from([source]);
  try {
    await using handle = await open(path, 'w', 0o600);
    for await (const piece of pieces as AsyncIterable<Uint8Array>) {
      hash.update(piece);
      await handle.writeFile(piece);
    }
    await handle.sync();
  } catch (error) {
    throw toImprintError(error);
  }
  return hash.digest('hex');
}

async function hashOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const piece of createReadStream(path, { highWaterMark: 2 ** 20 })) hash.update(piece);
  return hash.digest('hex');
}
