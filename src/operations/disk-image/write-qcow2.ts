import { promisify } from 'node:util';
import { constants, deflateRaw, zstdCompress } from 'node:zlib';
import { rawPath } from '../../foundation/brand.ts';
import type { Task } from '../../foundation/task.ts';
import { clusterSize, Qcow2Tables } from '../../image/qcow2.ts';
import { close, open, openFlags, seekData, seekHole } from '../../native/files.ts';
import { DiskFile } from '../../system/disk-file.ts';

const zeros = Buffer.alloc(clusterSize);
/** As many as libuv has threads. */
const clustersAtOnce = 8;

const compressors = {
  deflate: (bytes: Uint8Array): Promise<Buffer> => promisify(deflateRaw)(bytes, { level: 6, windowBits: 12 }),
  zstd: (bytes: Uint8Array): Promise<Buffer> =>
    promisify(zstdCompress)(bytes, { params: { [constants.ZSTD_c_compressionLevel]: 5 } }),
};

/**
 * Writes a raw disk as qcow2; zeros take no place. From the same disk come the same bytes, wherever its file has holes. Returns the image's
 * length. `raw` is its path. Errors: `disk-full`, `io-failed`, `interrupted`.
 */
export async function writeQcow2(
  raw: string,
  size: number,
  path: string,
  compression: keyof typeof compressors | undefined,
  task: Task,
): Promise<number> {
  const tables = new Qcow2Tables(size, compression);
  using disk = new DiskFile(raw);
  using image = new DiskFile(path);
  const waiting: { cluster: number; bytes: Buffer; compressed: Promise<Buffer> }[] = [];
  const settle = async () => {
    const next = waiting.shift();
    if (next === undefined) return;
    const compressed = await next.compressed;
    // What does not become smaller is kept as it is.
    if (compressed.length < clusterSize) image.write(tables.putCompressed(next.cluster, compressed.length), compressed);
    else image.write(tables.put(next.cluster), next.bytes);
  };
  for (const cluster of dataClusters(raw, size)) {
    task.signal.throwIfAborted();
    const bytes = disk.read(cluster * clusterSize, clusterSize);
    task.advance(clusterSize);
    if (bytes.equals(zeros)) continue;
    if (compression === undefined) {
      image.write(tables.put(cluster), bytes);
      continue;
    }
    const compressed = compressors[compression](bytes);
    // Awaited in turn; until then a failure must not end the process.
    compressed.catch(() => {});
    waiting.push({ cluster, bytes, compressed });
    if (waiting.length >= clustersAtOnce) await settle();
  }
  while (waiting.length > 0) await settle();
  const { pieces, size: length } = tables.finish();
  for (const { offset, bytes } of pieces) image.write(offset, bytes);
  return length;
}

/** Clusters that may hold anything but zeros, rising. */
function* dataClusters(path: string, size: number): Generator<number> {
  const fd = open(rawPath(path), openFlags.readOnly);
  try {
    let next = 0;
    for (let data = seekData(fd, 0); data >= 0 && data < size; ) {
      const hole = seekHole(fd, data);
      const end = hole < 0 ? size : Math.min(hole, size);
      for (let cluster = Math.max(next, Math.floor(data / clusterSize)); cluster * clusterSize < end; cluster += 1) {
        yield cluster;
        next = cluster + 1;
      }
      data = end >= size ? -1 : seekData(fd, end);
    }
  } finally {
    close(fd);
  }
}
