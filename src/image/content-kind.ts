import { parseTarHeader, tarBlockSize } from './tar-header.ts';

/** Ways in which an archive may be compressed, by the names of the programs that know them. */
export const compressions = ['gzip', 'bzip2', 'xz', 'zstd', 'lz4', 'lzip'] as const;
export type Compression = (typeof compressions)[number];

/** What a file is, by its first bytes. */
export type ContentKind = { kind: 'tar' } | { kind: 'compressed'; compression: Compression } | { kind: 'disk' };

/** Bytes of a file that `recogniseContent` may look at. */
export const headLength = 4096;

const magics: readonly (readonly [compression: Compression, magic: readonly number[]])[] = [
  ['gzip', [0x1f, 0x8b]],
  ['bzip2', [0x42, 0x5a, 0x68]],
  ['xz', [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]],
  ['zstd', [0x28, 0xb5, 0x2f, 0xfd]],
  ['lz4', [0x04, 0x22, 0x4d, 0x18]],
  ['lz4', [0x02, 0x21, 0x4c, 0x18]],
  ['lzip', [0x4c, 0x5a, 0x49, 0x50]],
];

/**
 * What begins with `head`: a tar archive, something compressed, or a disk image (a qcow2 header, or the 55 AA that ends the first
 * sector of an MBR or GPT disk, or the superblock of ext2–4, xfs or btrfs). Names do not count. Undefined for all else.
 */
export function recogniseContent(head: Buffer): ContentKind | undefined {
  const compression = compressionOf(head);
  if (compression !== undefined) return { kind: 'compressed', compression };
  if (isTar(head)) return { kind: 'tar' };
  if (head.toString('latin1', 0, 4) === 'QFI\xfb') return { kind: 'disk' };
  if (head[510] === 0x55 && head[511] === 0xaa) return { kind: 'disk' };
  const ext = head.length >= 1082 && head.readUInt16LE(1080) === 0xef53;
  return ext || head.toString('latin1', 0, 4) === 'XFSB' ? { kind: 'disk' } : undefined;
}

/** How a file that begins with `head` is compressed; undefined where it is not, or in no way that we know. */
export function compressionOf(head: Uint8Array): Compression | undefined {
  const found = magics.find(([, magic]) => magic.every((byte, index) => head[index] === byte));
  if (found !== undefined) return found[0];
  // A zstd file may begin with a frame to be skipped: 0x184d2a50 … 5f, little-endian (pzstd writes one).
  const skippable = head.length >= 4 && ((head[0] ?? 0) & 0xf0) === 0x50 && head[1] === 0x2a;
  return skippable && head[2] === 0x4d && head[3] === 0x18 ? 'zstd' : undefined;
}

/** Every tar's first block has a checksum, also in those from before there was a magic. */
function isTar(head: Buffer): boolean {
  if (head.length < tarBlockSize) return false;
  const header = parseTarHeader(head.subarray(0, tarBlockSize));
  return header !== 'end' && !('problem' in header) && header.name !== '';
}
