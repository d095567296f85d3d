import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ImprintError } from '../foundation/errors.ts';
import { inodeMap, type MappedExtent, markWritten, readExtentTree } from '../image/ext4/extent-map.ts';
import { DiskFile } from './disk-file.ts';
import type { Processes } from './run.ts';

/** A file on a key's partition. */
export interface KeyFile {
  name: string;
  /** Bytes. */
  size: number;
}

const patience = 300_000;
/**
 * No journal: GRUB carries none on, so what it is to find must not wait in one. No checksums of metadata: blocks are marked written by us. Growing is prepared for.
 */
const features =
  'none,ext_attr,resize_inode,filetype,extent,64bit,flex_bg,sparse_super,large_file,huge_file,dir_nlink,extra_isize';

/** Makes the empty file system for ISO files in a range of a file or device. Errors: `tool-missing`, `process-failed`. */
export async function makeIsoPartition(
  processes: Processes,
  place: { path: string; start: number; size: number; uuid: string; label: string; time: number },
  signal: AbortSignal,
): Promise<void> {
  const { path, start, size, uuid, label } = place;
  const inodes = Math.max(1024, Math.ceil(size / 2 ** 27) * 128);
  const extended = `offset=${start},hash_seed=${uuid},nodiscard,root_owner=0:0`;
  const args = [
    ...[
      '-q',
      '-F',
      '-O',
      features,
      '-I',
      '256',
      '-b',
      '4096',
      '-m',
      '0',
      '-N',
      String(inodes),
      '-U',
      uuid,
      '-L',
      label,
    ],
    ...['-E', extended, path, String(size / 4096)],
  ];
  const time = String(place.time);
  const env = { MKE2FS_CONFIG: '/dev/null', E2FSPROGS_FAKE_TIME: time, SOURCE_DATE_EPOCH: time, TZ: 'UTC' };
  await processes.run('mke2fs', args, { timeout: patience, signal, env });
}

/**
 * The file system with the ISO files of a key, worked on where it lies: in a file or on a device, without a mount and without root. Nobody else may have it
 * mounted meanwhile. Errors of all methods: `tool-missing`, `process-failed`, `io-failed`, `interrupted`.
 */
export class IsoPartition {
  readonly #processes: Processes;
  readonly #path: string;
  readonly #start: number;
  readonly #signal: AbortSignal;

  constructor(processes: Processes, place: { path: string; start: number }, signal: AbortSignal) {
    this.#processes = processes;
    this.#path = place.path;
    this.#start = place.start;
    this.#signal = signal;
  }

  /** Puts right what a key that was pulled out too early has. Throws `key-damaged` where that takes a person. */
  async check(): Promise<void> {
    const { status } = await this.#run('e2fsck', ['-p', this.#place], [0, 1, 4, 8, 12]);
    if (status > 1) throw new ImprintError('key-damaged', { key: this.#path, command: `e2fsck '${this.#place}'` });
  }

  async files(): Promise<KeyFile[]> {
    const { stdout } = await this.#debugfs(['-R', 'ls -p /']);
    return stdout.split('\n').flatMap((line) => {
      const match = /^\/\d+\/(\d+)\/\d+\/\d+\/(.+)\/(\d+)\/$/.exec(line);
      return match?.[1]?.startsWith('100') ? [{ name: match[2] ?? '', size: Number(match[3]) }] : [];
    });
  }

  /** Bytes. */
  async free(): Promise<number> {
    const { stdout } = await this.#debugfs(['-R', 'stats -h']);
    return Number(/^Free blocks:\s+(\d+)/m.exec(stdout)?.[1] ?? 0) * 4096;
  }

  /**
   * Writes a new file of `size` bytes: room first, then the content, whose pieces `write` is called with, then its name. Every block of it is there, so that GRUB can
   * read it (it reads no file that begins with a hole).
   */
  async add(name: string, size: number, fill: (write: (position: number, bytes: Uint8Array) => void) => Promise<void>) {
    const part = `.part-${name}`;
    const last = Math.max(0, Math.ceil(size / 4096) - 1);
    await this.remove(part).catch(() => {});
    await this.#change([`write /dev/null ${quoted(part)}`, `fallocate ${quoted(part)} 0 ${last}`]);
    try {
      {
        using disk = new DiskFile(this.#path);
        const extents = await this.#written(part, disk);
        if (extents.reduce((sum, { length }) => sum + length, 0) <= last)
          throw new ImprintError('disk-full', { path: this.#path });
        await fill((position, bytes) => writeTo(disk, this.#start, extents, position, bytes));
        disk.sync();
      }
      await this.#change([
        `set_inode_field ${quoted(part)} size ${size}`,
        `set_inode_field ${quoted(part)} mode 0100644`,
        `ln ${quoted(part)} ${quoted(name)}`,
        `unlink ${quoted(part)}`,
      ]);
    } catch (error) {
      await this.remove(part).catch(() => {});
      throw error;
    }
  }

  /** Replaces a small file. */
  async write(name: string, text: string): Promise<void> {
    const directory = await mkdtemp(join(tmpdir(), 'imprint-key-'));
    try {
      const source = join(directory, 'text');
      await writeFile(source, text);
      const there = (await this.files()).some((file) => file.name === name);
      await this.#change([
        ...(there ? [`rm ${quoted(name)}`] : []),
        `write ${source} ${quoted(name)}`,
        `set_inode_field ${quoted(name)} mode 0100644`,
      ]);
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  }

  async remove(name: string): Promise<void> {
    if ((await this.files()).some((file) => file.name === name)) await this.#change([`rm ${quoted(name)}`]);
  }

  /** The content in pieces, as it is on the key. */
  async *read({ name, size }: KeyFile, pieceLength = 4 << 20): AsyncGenerator<Buffer> {
    using disk = new DiskFile(this.#path);
    for (const { logical, physical, length } of await this.#extents(name, disk)) {
      const end = Math.min((logical + length) * 4096, size);
      for (let at = logical * 4096; at < end; at += pieceLength) {
        this.#signal.throwIfAborted();
        const position = this.#start + physical * 4096 + (at - logical * 4096);
        yield disk.read(position, Math.min(pieceLength, end - at));
      }
    }
  }

  /** A file to be read where one likes, until it is disposed of. Nothing may be changed meanwhile. */
  async open(name: string): Promise<Disposable & { read(position: number, length: number): Buffer }> {
    const disk = new DiskFile(this.#path);
    const extents = await this.#extents(name, disk).catch((error) => {
      disk[Symbol.dispose]();
      throw error;
    });
    return {
      read: (position, length) => readFrom(disk, this.#start, extents, position, length),
      [Symbol.dispose]: () => disk[Symbol.dispose](),
    };
  }

  get #place(): string {
    return `${this.#path}?offset=${this.#start}`;
  }

  /** Marks all extents of a file as written, whose blocks then hold what was there before. */
  async #written(name: string, disk: DiskFile): Promise<MappedExtent[]> {
    const { position, leaves } = await this.#leaves(name, disk);
    for (const { block } of leaves) {
      const at = block === undefined ? position : this.#start + block * 4096;
      const bytes = disk.read(at, block === undefined ? inodeMap.length : 4096);
      markWritten(bytes);
      disk.write(at, bytes);
    }
    return leaves.flatMap(({ extents }) => extents);
  }

  async #extents(name: string, disk: DiskFile): Promise<MappedExtent[]> {
    return (await this.#leaves(name, disk)).leaves.flatMap(({ extents }) => extents);
  }

  /** Byte of the inode's map, and the leaves of its tree. */
  async #leaves(name: string, disk: DiskFile) {
    const { stdout } = await this.#debugfs(['-R', `imap ${quoted(name)}`]);
    const match = /located at block (\d+), offset 0x([0-9a-f]+)/.exec(stdout);
    if (match === null)
      throw new ImprintError('io-failed', { operation: 'finding', path: name, problem: stdout.trim() });
    const position = this.#start + Number(match[1]) * 4096 + Number.parseInt(match[2] ?? '', 16) + inodeMap.offset;
    const read = (block: number) => disk.read(this.#start + block * 4096, 4096);
    return { position, leaves: readExtentTree(disk.read(position, inodeMap.length), read) };
  }

  /** Runs commands that change it; debugfs says what went wrong on stderr alone. */
  async #change(commands: readonly string[]): Promise<void> {
    const { stderr } = await this.#debugfs(['-w', '-f', '-'], `${commands.join('\n')}\n`);
    const problem = stderr
      .split('\n')
      .find((line) => line !== '' && !/^debugfs \d/.test(line) && !/^Allocated inode/.test(line));
    if (problem === undefined) return;
    if (/No space|Could not allocate/i.test(problem)) throw new ImprintError('disk-full', { path: this.#path });
    throw new ImprintError('io-failed', { operation: 'writing', path: this.#path, problem });
  }

  #debugfs(args: readonly string[], input?: string) {
    return this.#run('debugfs', [...args, this.#place], [0], input);
  }

  #run(tool: string, args: readonly string[], accept: readonly number[], input?: string) {
    const options = { timeout: patience, signal: this.#signal, accept, env: { DEBUGFS_PAGER: 'cat', PAGER: 'cat' } };
    return this.#processes.run(tool, args, { ...options, ...(input === undefined ? {} : { input }) });
  }
}

/** A name as one word of debugfs: somebody else may have put the file there, and called it anything. */
function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** Writes bytes of a file to where its extents lie. */
function writeTo(
  disk: DiskFile,
  start: number,
  extents: readonly MappedExtent[],
  position: number,
  bytes: Uint8Array,
): void {
  for (let done = 0; done < bytes.length; ) {
    const at = position + done;
    const extent = extents.find(({ logical, length }) => at >= logical * 4096 && at < (logical + length) * 4096);
    if (extent === undefined) throw new RangeError('a file has more content than blocks');
    const end = (extent.logical + extent.length) * 4096;
    const part = bytes.subarray(done, done + Math.min(bytes.length - done, end - at));
    disk.write(start + extent.physical * 4096 + (at - extent.logical * 4096), part);
    done += part.length;
  }
}

/** Bytes of a file; what lies in no extent is zeros. */
function readFrom(
  disk: DiskFile,
  start: number,
  extents: readonly MappedExtent[],
  position: number,
  length: number,
): Buffer {
  const bytes = Buffer.alloc(length);
  for (const { logical, physical, length: count, unwritten } of extents) {
    const from = Math.max(position, logical * 4096);
    const to = Math.min(position + length, (logical + count) * 4096);
    if (from >= to || unwritten) continue;
    disk.read(start + physical * 4096 + (from - logical * 4096), to - from).copy(bytes, from - position);
  }
  return bytes;
}
