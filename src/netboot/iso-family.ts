/**
 * Families of ISO files that start from the file itself: what identifies one by its content, and how its kernel is told where the file lies. Data, and
 * nothing else: `iso-match.ts` reads it here, `key-script.ts` writes it as GRUB script, so that files that people copied by hand are known, too.
 *
 * In options: `$iso` the file's path on its partition, `$uuid` the UUID of that partition's file system, `$label` and `$isouuid` of the ISO itself.
 */
export interface IsoFamily {
  id: string;
  /** For people. */
  name: string;
  /** Paths in the ISO: of each list at least one must be there. */
  has: readonly (readonly string[])[];
  /** None of these may be there. */
  lacks?: readonly string[];
  /** How it is started; the first entry is the usual one. None: it cannot be, and `refusal` says why. */
  entries: readonly IsoEntry[];
  /** Why the ISO cannot be started from a file, or not on this kind of firmware; whole sentences. */
  refusal?: string;
  /** How `key test` has it speak and follows its start, where that differs from a Linux system on a serial line. */
  test?: IsoTest;
  /** Where the facts come from. */
  source: string;
}

export interface IsoTest {
  /** Words that put it onto the first serial line, only while it is tested; default: those of a Linux kernel, and none for programs. */
  words?: string;
  /** What it says when it runs, beside what most systems say (`iso-progress.ts`); regular expressions. */
  runs?: readonly string[];
}

export type IsoEntry = { title: string; firmware?: 'bios' | 'uefi' } & (
  | {
      kind: 'linux';
      /** The first that is there; `*` stands for any part of a name. */
      kernels: readonly string[];
      /** All that are there, in this order; of a list the first that is there. */
      initrds: readonly (readonly string[])[];
      options: string;
      /** The ISO itself, laid into the initial RAM disk under this name: it must fit into memory. */
      whole?: string;
    }
  /** A GRUB configuration of the ISO's own. `takesPath`: it goes by `iso_path`, the convention of loopback.cfg. */
  | { kind: 'config'; path: string; takesPath: boolean }
  /** A kernel of the old boot protocol (BIOS), or an EFI program. */
  | { kind: 'program'; path: string }
);
