/** What goes into the directory of a live system on a partition; bytes. */
export interface FrugalFiles {
  /** Kernel and initial RAM disk. */
  readonly imager: number;
  /** The version's store, where packs may have holes and where they may not. */
  readonly store: { readonly sparse: number; readonly whole: number };
  /** What the system may write; absent: nothing is kept. */
  readonly changes?: number;
}

const mebibyte = 2 ** 20;
/** Bytes that stay free beside it all. */
const reserve = 64 * mebibyte;
const longestOnFat = 2 ** 32 - 1;
/** Less than that a start alone may write. */
const leastChanges = 64 * mebibyte;

/** Bytes that must be free for it, or what cannot be. FAT has neither holes nor files of 4 GiB. */
export function frugalRoom(files: FrugalFiles, fileSystem: string): { needed: number } | { problem: string } {
  const { imager, store, changes = 0 } = files;
  const onFat = fileSystem === 'vfat';
  if (files.changes !== undefined && changes < leastChanges) return { problem: 'is less than 64 MiB' };
  if (onFat && changes > longestOnFat) return { problem: 'is more than a file on FAT can be: 4 GiB' };
  return { needed: imager + (onFat ? store.whole + changes : store.sparse) + reserve };
}
