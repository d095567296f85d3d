import type { PlacedBytes } from '../machine/gpt.ts';

/** One thing that is made anew. Each may be repeated without harm. */
export type MendStep =
  | { kind: 'write-bytes'; what: string; pieces: readonly PlacedBytes[] }
  /** Onto the FAT that begins at `offset`. */
  | { kind: 'write-program'; partition: number; offset: number; path: string; content: Uint8Array };

/** What there is, and what should be. */
export interface MendQuestion {
  /** Bytes of the disk. */
  size: number;
  /** Of the table, from what is whole of it. */
  table: readonly { what: string; pieces: readonly PlacedBytes[] }[];
  /** Makes anew also what looks whole. */
  all: boolean;
  /** Of a disk that Imprint installed. */
  own?: {
    bios?: { core: PlacedBytes; code: PlacedBytes /** It starts as it is, as far as can be seen. */; whole: boolean };
    esp?: {
      partition: number;
      offset: number;
      /** The beginning of a fresh file system with the program on it; absent: it cannot be made on this disk. */
      fresh?: PlacedBytes;
      /** What holds it now: the FAT of the install, another one, or nothing that can be read. */
      state: 'same' | 'other' | 'gone';
      mounted?: string;
      program: { path: string; content: Uint8Array; whole: boolean };
    };
  };
}

export interface MendPlan {
  steps: MendStep[];
  /** What stays broken, and why. */
  left: string[];
}

/** What is made anew, the first sector's code last. Pure. */
export function planBootMend({ size, table, all, own }: MendQuestion): MendPlan {
  const steps: MendStep[] = [];
  const left: string[] = [];
  for (const { what, pieces } of table) {
    if (pieces.every(({ offset, bytes }) => offset + bytes.length <= size))
      steps.push({ kind: 'write-bytes', what, pieces });
    else left.push(`The disk ends before the place of ${what}: make its table fit (sfdisk --relocate gpt-bak-std).`);
  }
  const { esp, bios } = own ?? {};
  if (esp !== undefined && (all || esp.state !== 'same' || !esp.program.whole)) {
    const { partition, offset, fresh, program, state, mounted } = esp;
    if (mounted !== undefined) {
      left.push(`The ESP, partition ${partition}, is mounted on ${mounted}: umount ${mounted}, and mend again.`);
    } else if (state === 'other') {
      left.push(`The ESP, partition ${partition}, is a file system of somebody else now, and stays.`);
    } else if (state === 'gone' && fresh !== undefined) {
      steps.push({
        kind: 'write-bytes',
        what: `the ESP, partition ${partition}, with ${program.path} on it`,
        pieces: [fresh],
      });
    } else if (state === 'gone') {
      left.push(
        `The ESP, partition ${partition}, holds no FAT: make one (mkfs.vfat -F 32 -n EFI-BOOT), and mend again.`,
      );
    } else {
      steps.push({ kind: 'write-program', partition, offset, path: program.path, content: program.content });
    }
  }
  if (bios !== undefined && (all || !bios.whole)) {
    steps.push({ kind: 'write-bytes', what: 'GRUB’s core, in the BIOS boot partition', pieces: [bios.core] });
    steps.push({ kind: 'write-bytes', what: 'the boot code in the first sector', pieces: [bios.code] });
  }
  return { steps, left };
}

/** A step in words. */
export function describeMendStep(step: MendStep): string {
  switch (step.kind) {
    case 'write-bytes':
      return `make anew ${step.what}`;
    case 'write-program':
      return `write ${step.path} onto the ESP, partition ${step.partition}`;
  }
}
