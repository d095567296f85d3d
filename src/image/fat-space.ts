import { type FatEntry, openVolume, type ReadBytes, readFat } from './fat-reader.ts';

/** Where a FAT file system keeps what: enough to make it again byte for byte, but for what nobody uses. */
export interface FatSpace {
  /** 8 hexadecimal digits, as they stand in the boot sector: `1A2B3C4D`. */
  volumeId: string;
  /** Of the boot sector; `NO NAME` is none. */
  label: string;
  /** Bytes of the volume. */
  size: number;
  entries: FatEntry[];
  /** Boot sectors, tables, directories and clusters that no file names, in order, none overlapping. */
  own: FatRun[];
}

export interface FatRun {
  offset: number;
  length: number;
}

/** Reads it. Throws a `FormatError` where it is no FAT, or a damaged one. */
export function readFatSpace(read: ReadBytes): FatSpace {
  const entries = readFat(read);
  const { clusterBytes, clusters, dataOffset, next, bits } = openVolume(read);
  const boot = read(0, 512);
  const ofFiles = new Set<number>();
  for (const { runs } of entries) {
    for (const { offset, length } of runs) {
      for (let at = offset; at < offset + length; at += clusterBytes) ofFiles.add((at - dataOffset) / clusterBytes + 2);
    }
  }
  const own: FatRun[] = [{ offset: 0, length: dataOffset }];
  for (let cluster = 2; cluster < clusters + 2; cluster += 1) {
    if (next(cluster) === 0 || ofFiles.has(cluster)) continue;
    const offset = dataOffset + (cluster - 2) * clusterBytes;
    const last = own.at(-1);
    if (last !== undefined && last.offset + last.length === offset) last.length += clusterBytes;
    else own.push({ offset, length: clusterBytes });
  }
  const extended = bits === 32 ? 67 : 39;
  return {
    volumeId: boot.readUInt32LE(extended).toString(16).padStart(8, '0').toUpperCase(),
    label: boot.toString('latin1', extended + 4, extended + 15).trimEnd(),
    size: dataOffset + clusters * clusterBytes,
    entries,
    own,
  };
}
