import { closeSync, openSync, readSync } from 'node:fs';
import { open } from 'node:fs/promises';
import type { RawPath } from '../foundation/brand.ts';
import { ImprintError } from '../foundation/errors.ts';
import type { Entry } from '../image/entry.ts';
import { blockSize } from '../image/ext4/geometry.ts';
import { Ext4Tree } from '../image/ext4/tree.ts';
import { writeExt4 } from '../image/ext4/writer.ts';
import { type FatEntry, readFat } from '../image/fat-reader.ts';
import { FormatError } from '../image/format-error.ts';
import { fatAttributes } from '../machine/fat-attributes.ts';
import { blocksOf, DiskFile } from './disk-file.ts';
import type { DiskPartition, OpenDisk } from './disk-image.ts';
import { makeExt4InFile } from './filesystem.ts';
import type { Processes } from './run.ts';

const mebibyte = 2 ** 20;
/** The kernel knows no time of the root of a FAT file system. */
const never = { seconds: 0, nanoseconds: 0 };

/**
 * Copies a FAT file system into an ext4 in the file `path`, with the owners, modes and times that the kernel would show of it: for kernels
 * that cannot mount it. Errors: `source-unfit`, `disk-full`, `tool-missing`, `process-failed`.
 */
export async function copyFatToExt4(
  processes: Processes,
  disk: OpenDisk,
  partition: DiskPartition,
  options: readonly string[],
  path: string,
): Promise<{ disk: OpenDisk; partition: DiskPartition }> {
  const fd = openSync(disk.path, 'r');
  try {
    const read = (offset: number, length: number) => {
      const wanted = Math.max(0, Math.min(length, partition.size - offset));
      const bytes = Buffer.alloc(wanted);
      return bytes.subarray(0, readSync(fd, bytes, 0, wanted, partition.start + offset));
    };
    const { tree, content } = treeOf(readFat(read), options);
    const size = Math.ceil((tree.blocks * blockSize + 64 * mebibyte) / mebibyte) * mebibyte;
    await (await open(path, 'wx')).close();
    using file = new DiskFile(path);
    file.resize(size);
    const wish = { path, offset: 0, size, uuid: '00000000-0000-8000-8000-000000000000', inodes: tree.inodes + 1024 };
    await makeExt4InFile(processes, { ...wish, journal: 4 * mebibyte, time: 0 });
    writeExt4(tree, blocksOf(file, 0, blockSize), ({ chunk, skip, length, position }) => {
      const entry = content.get(chunk);
      if (entry === undefined) return;
      for (const run of within(entry.runs, skip, length)) file.write(position + run.at, read(run.offset, run.length));
    });
    return {
      disk: { path, format: 'raw', own: true, size },
      partition: { ...partition, start: 0, size, fileSystem: 'ext4' },
    };
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    const problem = `its partition ${partition.number} is no good FAT: ${error.message}`;
    throw new ImprintError(
      'source-unfit',
      { source: 'the disk', problem, hint: 'Check it: fsck.vfat' },
      { cause: error },
    );
  } finally {
    closeSync(fd);
  }
}

function treeOf(entries: readonly FatEntry[], options: readonly string[]) {
  const { uid, gid, directoryMode, fileMode } = fatAttributes(options);
  const tree = new Ext4Tree();
  const content = new Map<object, FatEntry>();
  tree.add({ path: '' as RawPath, type: 'directory', mode: directoryMode, uid, gid, mtime: never });
  for (const each of entries) {
    const base: Entry = {
      ...{ path: each.path as RawPath, uid, gid, mtime: each.modified },
      ...(each.directory ? { type: 'directory', mode: directoryMode } : { type: 'file', mode: fileMode }),
    };
    // Of directories the kernel does not believe it.
    if (each.readOnly && !each.directory) base.mode &= ~0o222;
    if (each.directory) tree.add(base);
    else {
      const chunk = { hash: new Uint8Array(0), length: each.size };
      content.set(chunk, each);
      tree.add({ ...base, size: each.size, chunks: each.size === 0 ? [] : [chunk] });
    }
  }
  return { tree, content };
}

/** The part of a file's runs that holds `length` bytes from `skip` on; `at` counts from `skip`. */
function* within(runs: FatEntry['runs'], skip: number, length: number) {
  let start = 0;
  for (const run of runs) {
    const from = Math.max(skip, start);
    const to = Math.min(skip + length, start + run.length);
    if (from < to) yield { offset: run.offset + from - start, length: to - from, at: from - skip };
    start += run.length;
  }
}
