/**
 * The boot pointer: the one small record that says which entry boots (docs/boot.md). Two copies, `a.env` and `b.env`, in the form of GRUB's
 * environment blocks; the one with the higher sequence number that is whole counts. GRUB reads them and writes neither.
 */
export interface BootPointer {
  /** Grows by one with each record. */
  sequence: number;
  /** Entry that is known to be healthy: boots where there is no trial, or no try is left. Never the target of an update. */
  good: string;
  /** The good one before it: what `revert`, and a hand-made `system-revert`, go back to. */
  previous?: string;
  /** Entry that is to be proven; absent: none. */
  trial?: string;
  /** Boots that the trial gets. */
  tries: number;
}

/** What GRUB itself writes before each boot of a trial (`tries.env`); it belongs to the pointer with this sequence number only. */
export interface TrialCount {
  sequence: number;
  /** Tries left when the boot that goes on now was begun. */
  left: number;
  /** Sequence number of the pointer from which a hand-made `system-revert` goes back; counts while the pointer is that one. */
  revert?: number;
  /** Tries left of the hand-dropped image; absent: none is there, or it was not begun. */
  newLeft?: number;
}

/** An entry of the boot partition, `/slots/ID/`: one kernel with the one root that belongs to it. */
export interface BootEntry {
  /** `b-1f3c9a0d27e4`: slot and the first digits of the version. At most 40 of `a-z 0-9 -`. */
  id: string;
  /** Slot that it boots: `a`, `b`, … of a partition; `file`; `root` in place. */
  slot: string;
  /** Of several systems beside each other the one that it belongs to, called by its first image; updates stay within it. Absent: there was one. */
  system?: string;
  /** `web:3`, and its digest. */
  reference: string;
  digest: string;
  /** For the menu: `web:3 · Debian GNU/Linux 12 (bookworm)`. */
  title: string;
  kernelVersion: string;
  /** Kernel command line but `imprint.slot`, `imprint.seq` and `imprint.try`, which GRUB adds. */
  kernelOptions: string[];
  /** SHA-256 of each file of the entry, hexadecimal, by its name (`vmlinuz`, `initrd`, `addition.cpio`). */
  files: Record<string, string>;
  /** ISO 8601. */
  created: string;
}
