import { createHash, type Hash } from 'node:crypto';
import { hostname } from 'node:os';
import { basename } from 'node:path';
import type { BootArea, BootCopy, BootDisk as BootDiskFacts, BootVolume } from '../../contract/boot-copy.ts';
import type { RawPath } from '../../foundation/brand.ts';
import type { FatEntry } from '../../image/fat-reader.ts';
import { type FatRun, type FatSpace, readFatSpace } from '../../image/fat-space.ts';
import { FormatError } from '../../image/format-error.ts';
import { bootAreas, type WantedArea } from '../../machine/boot-areas.ts';
import {
  type DiskStructure,
  isEsp,
  readDiskStructure,
  type StructurePartition,
  tableHash,
} from '../../machine/disk-structure.ts';
import { readEnvironment } from '../../machine/environment-block.ts';
import { isExtended } from '../../machine/mbr.ts';
import type { BootDisk } from '../../system/boot-disk.ts';
import { probe } from '../../system/disk-image.ts';
import { readEnvironmentBlocks } from '../../system/environment-blocks.ts';
import type { Processes } from '../../system/run.ts';

/** Bytes of a member, read when they are asked for, in pieces. */
export interface MemberContent {
  size: number;
  pieces(): Iterable<Uint8Array>;
}

/** What makes a disk boot, as it is now: the record of a safety copy, and what its members hold. */
export interface BootScan {
  record: BootCopy;
  structure: DiskStructure;
  contents: ReadonlyMap<string, MemberContent>;
  /** What the copy does not hold though it should, in words. */
  missing: string[];
}

export interface ScanSurroundings {
  processes: Processes;
  signal: AbortSignal;
  /** Milliseconds since 1970. */
  now: number;
  /** What the kernel says of the disk; absent for an image file. */
  facts?: Partial<Pick<BootDiskFacts, 'model' | 'serial' | 'wwn'>>;
  machine?: BootCopy['machine'];
  variables?: ReadonlyMap<string, Buffer> | undefined;
  /** Kept as well: what is about to be replaced. */
  also?: readonly WantedArea[];
}

const pieceLength = 1 << 20;

/** Reads it. Errors: `io-failed`, `process-failed`, `tool-missing`, `interrupted`. */
export async function scanBoot(disk: BootDisk, around: ScanSurroundings): Promise<BootScan> {
  const { processes, signal, now, facts = {}, also = [], variables } = around;
  const structure = readDiskStructure((offset, length) => disk.read(offset, length), disk.size, disk.sectorSize);
  const { label, id, problems } = structure;
  const contents = new Map<string, MemberContent>();
  const missing: string[] = [];
  const partitions: BootCopy['table']['partitions'] = [];
  for (const partition of structure.partitions) partitions.push(await withContent(disk, partition, around));
  const areas = [...bootAreas(structure), ...also].map((area): BootArea => {
    const file = `disk/${area.name}.bin`;
    const content = rangeContent(disk, [area], 0);
    contents.set(file, content);
    return { ...area, sha256: hashOf(content), file };
  });
  const volumes: BootVolume[] = [];
  for (const partition of structure.partitions.filter(isEsp)) {
    signal.throwIfAborted();
    const space = fatAt(disk, partition);
    if (space === undefined) missing.push(`partition ${partition.number}, an ESP, holds no FAT that can be read`);
    else if (partition.start + space.size > disk.size)
      missing.push(`partition ${partition.number}, an ESP, ends behind the end of the disk`);
    else volumes.push(volumeOf(disk, partition, space, contents));
  }
  const environments: BootCopy['environments'] = [];
  for (const { number, start, size } of partitions.filter(({ content }) => /^ext[234]$/.test(content?.type ?? ''))) {
    for (const { path, content } of await readEnvironmentBlocks(processes, disk.path, { start, size }, signal)) {
      const file = `environments/${number}/${path}`;
      contents.set(file, { size: content.length, pieces: () => [content] });
      environments.push({
        path: `${number}:/${path}`,
        values: Object.fromEntries(readEnvironment(content) ?? []),
        file,
      });
    }
  }
  const record: BootCopy = {
    imprint: 'boot-copy',
    format: 1,
    created: new Date(now).toISOString(),
    machine: around.machine ?? { name: disk.isDevice ? hostname() : basename(disk.path) },
    disk: { path: disk.path, size: disk.size, sectorSize: disk.sectorSize, ...facts },
    table: { label, ...(id === undefined ? {} : { id }), hash: tableHash(structure), partitions },
    areas,
    volumes,
    variables: [...(variables ?? [])].map(([name, content]) => {
      const file = `variables/${name}`;
      const member = { size: content.length, pieces: () => [content] };
      contents.set(file, member);
      return { name, size: content.length, sha256: hashOf(member), file };
    }),
    environments,
    problems,
  };
  return { record, structure, contents, missing };
}

/** The FAT in a partition; undefined where there is none that can be read. */
export function fatAt(disk: BootDisk, { start, size }: { start: number; size: number }): FatSpace | undefined {
  try {
    return readFatSpace((offset, length) => disk.read(start + offset, Math.min(length, Math.max(0, size - offset))));
  } catch (thrown) {
    if (thrown instanceof FormatError) return undefined;
    throw thrown;
  }
}

/** SHA-256 of a file on a FAT that begins at byte `start` of the disk. */
export function hashFatFile(disk: BootDisk, start: number, { runs, size }: Pick<FatEntry, 'runs' | 'size'>): string {
  return hashOf(rangeContent(disk, cut(runs, size), start));
}

async function withContent(
  disk: BootDisk,
  partition: StructurePartition,
  { processes, signal }: ScanSurroundings,
): Promise<BootCopy['table']['partitions'][number]> {
  if (isExtended(Number.parseInt(partition.type, 16)) && partition.type.length === 2) return partition;
  const content = await probeContent(processes, disk, partition, signal);
  return content === undefined ? partition : { ...partition, content };
}

/** What blkid finds in a range of the disk. */
export async function probeContent(
  processes: Processes,
  disk: Pick<BootDisk, 'path'>,
  { start, size }: { start: number; size: number },
  signal: AbortSignal,
): Promise<{ type: string; uuid?: string; label?: string } | undefined> {
  const { fileSystem, uuid, label } = await probe(processes, disk, { number: 0, start, size, type: '' }, signal);
  if (fileSystem === undefined) return undefined;
  return { type: fileSystem, ...(uuid === undefined ? {} : { uuid }), ...(label === undefined ? {} : { label }) };
}

function volumeOf(
  disk: BootDisk,
  { number, start }: StructurePartition,
  space: FatSpace,
  contents: Map<string, MemberContent>,
): BootVolume {
  const base = `esp-${number}`;
  const files = space.entries
    .filter(({ directory }) => !directory)
    .map(({ path, size, modified, runs }) => {
      const file = `${base}/files/${path}`;
      const content = rangeContent(disk, cut(runs, size), start);
      contents.set(file, content);
      return { path, size, sha256: hashOf(content), modified: modified.seconds, runs, file };
    });
  const own = rangeContent(disk, space.own, start);
  const file = `${base}/tables.bin`;
  contents.set(file, own);
  return {
    partition: number,
    offset: start,
    size: space.size,
    volumeId: space.volumeId,
    label: space.label,
    files,
    directories: space.entries.filter(({ directory }) => directory).map(({ path }) => path as RawPath),
    own: { runs: space.own, sha256: hashOf(own), file },
  };
}

/** The runs of a file without what fills up its last cluster. */
function cut(runs: readonly FatRun[], size: number): FatRun[] {
  let left = size;
  return runs.map(({ offset, length }) => {
    const run = { offset, length: Math.min(length, left) };
    left -= run.length;
    return run;
  });
}

function rangeContent(disk: BootDisk, runs: readonly FatRun[], base: number): MemberContent {
  return {
    size: runs.reduce((sum, { length }) => sum + length, 0),
    *pieces() {
      for (const { offset, length } of runs) {
        for (let done = 0; done < length; done += pieceLength) {
          yield disk.read(base + offset + done, Math.min(pieceLength, length - done));
        }
      }
    },
  };
}

function hashOf(content: MemberContent): string {
  const hash: Hash = createHash('sha256');
  for (const piece of content.pieces()) hash.update(piece);
  return hash.digest('hex');
}
