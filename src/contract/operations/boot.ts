import { z } from 'zod';
import { bootDifferenceSchema, bootDiskSchema, bootPartSchema } from '../boot-copy.ts';
import { defineOperation } from '../operation.ts';

/** A disk rule (`serial=…`, `/dev/NAME`), or a disk image; absent: the one disk that is meant beyond doubt. */
const diskChoiceSchema = z.string().min(1).max(4096).optional();

/** What a safety copy holds of one part of the disk, for people. */
export const bootPartSummarySchema = z.object({ part: bootPartSchema, what: z.string(), bytes: z.number() });

export const bootSave = defineOperation({
  name: 'boot.save',
  summary: 'Keep what makes a disk boot in one file: boot code, tables, gap, BIOS boot partition, ESP, variables',
  input: z.object({ file: z.string().min(1), disk: diskChoiceSchema, force: z.boolean().default(false) }),
  output: z.object({
    file: z.string(),
    bytes: z.number(),
    /** Of the file. */
    sha256: z.string(),
    disk: bootDiskSchema,
    parts: z.array(bootPartSummarySchema),
    /** What is wrong with the disk already, and what the copy does not hold. */
    warnings: z.array(z.string()),
  }),
  errors: ['boot-disk-unknown', 'target-exists', 'not-root', 'disk-full', 'io-failed'],
  effect: 'read',
  runsOn: 'machine',
  long: true,
});

export const bootRestore = defineOperation({
  name: 'boot.restore',
  summary: 'Bring back what makes a disk boot out of a safety copy, and prove it by reading back',
  input: z.object({
    file: z.string().min(1),
    disk: diskChoiceSchema,
    /** Absent: all that can go back without a doubt. */
    parts: z.array(bootPartSchema).optional(),
    /** Where what is there now is kept; absent: beside the file. */
    undo: z.string().optional(),
    /** Also onto a disk with another serial number. */
    force: z.boolean().default(false),
  }),
  output: z.object({
    disk: bootDiskSchema,
    /** What was not as the copy has it. */
    differences: z.array(bootDifferenceSchema),
    /** What was written, in this order. */
    steps: z.array(z.string()),
    /** What stays as it is, and why. */
    left: z.array(z.string()),
    /** The safety copy of what was there before; absent: nothing had to be written. */
    undo: z.string().optional(),
  }),
  errors: [
    'boot-disk-unknown',
    'file-not-found',
    'boot-copy-invalid',
    'boot-copy-foreign',
    'boot-restore-refused',
    'boot-unproven',
    'not-root',
    'io-failed',
  ],
  effect: 'destroy',
  runsOn: 'machine',
  long: true,
});

export const bootCheck = defineOperation({
  name: 'boot.check',
  summary: 'Look whether a disk can boot, and what differs from a safety copy',
  input: z.object({ file: z.string().optional(), disk: diskChoiceSchema }),
  output: z.object({
    disk: bootDiskSchema,
    /** What there is, one line each. */
    found: z.array(z.object({ what: z.string(), state: z.enum(['good', 'note', 'bad']), says: z.string() })),
    /** Why this machine will not boot from it; absent: it will, as far as can be seen. */
    problem: z.string().optional(),
    /** With a copy: what is not as it has it. */
    differences: z.array(bootDifferenceSchema).optional(),
  }),
  errors: [
    'boot-disk-unknown',
    'file-not-found',
    'boot-copy-invalid',
    'boot-copy-foreign',
    'boot-differs',
    'boot-damaged',
    'not-root',
  ],
  effect: 'read',
  runsOn: 'machine',
  long: true,
});

export const bootMend = defineOperation({
  name: 'boot.mend',
  summary: 'Make anew what makes a disk boot, without a safety copy: its table, and on disks of Imprint GRUB',
  input: z.object({
    disk: diskChoiceSchema,
    /** Also what looks whole. */
    all: z.boolean().default(false),
    /** Where what is there now is kept; absent: in the present directory. */
    undo: z.string().optional(),
  }),
  output: z.object({
    disk: bootDiskSchema,
    /** What was written, in this order. */
    steps: z.array(z.string()),
    /** What stays as it is, and why. */
    left: z.array(z.string()),
    undo: z.string().optional(),
  }),
  errors: ['boot-disk-unknown', 'boot-unproven', 'not-root', 'tool-missing', 'process-failed', 'io-failed'],
  effect: 'destroy',
  runsOn: 'machine',
  long: true,
});

export const bootNext = defineOperation({
  name: 'boot.next',
  summary: 'Choose what starts next, once',
  input: z.object({
    /** A system of Imprint’s own, a number of the firmware (`0003`), a part of a name, or `windows`; absent: only look. */
    entry: z.string().min(1).max(200).optional(),
    cancel: z.boolean().default(false),
  }),
  output: z.object({
    /** The system of Imprint’s own that starts next, where one was named. */
    own: z.object({ system: z.string(), entry: z.string(), reference: z.string() }).optional(),
    /** In the order of the firmware, then the rest. */
    entries: z.array(
      z.object({
        number: z.string(),
        name: z.string(),
        file: z.string().optional(),
        active: z.boolean(),
        current: z.boolean(),
        next: z.boolean(),
      }),
    ),
  }),
  errors: ['boot-entry-unknown', 'firmware-silent', 'not-root', 'io-failed'],
  effect: 'change',
  runsOn: 'machine',
  long: false,
});

export const foundSystemSchema = z.object({
  id: z.string(),
  title: z.string(),
  disk: z.string(),
  partition: z.number(),
  /** How it is handed over to; absent: it cannot be started so. */
  bios: z.string().optional(),
  uefi: z.string().optional(),
  remarks: z.array(z.string()),
});

export const bootMenu = defineOperation({
  name: 'boot.menu',
  summary: 'Put the other systems of a machine into its boot menu',
  input: z.object({
    disk: diskChoiceSchema,
    /** A directory of a mounted partition, for a menu of its own; absent: the menu of Imprint's boot partition. */
    on: z.string().min(1).optional(),
    /** With `on`: where what boots now is kept; absent: in the present directory. */
    undo: z.string().optional(),
    /** Id of an entry; `imprint`: what Imprint boots; or a system of Imprint’s own, which is that from now on. */
    default: z.string().max(100).optional(),
    /** Seconds; -1: for ever. */
    timeout: z.int().min(-1).max(3600).optional(),
    /** Empty: none any more. */
    password: z.string().max(1000).optional(),
    /** Ids of entries that need the password. */
    locked: z.array(z.string().max(100)).optional(),
  }),
  output: z.object({
    systems: z.array(foundSystemSchema),
    /** What could not be looked into. */
    closed: z.array(z.string()),
    default: z.string(),
    timeout: z.number().optional(),
    password: z.boolean(),
    locked: z.array(z.string()),
    /** The partition that has the menu; absent in a dry run. */
    device: z.string().optional(),
    /** With `on`: what is written to the disk, in this order, and what the firmware will not start. */
    steps: z.array(z.string()).optional(),
    left: z.array(z.string()).optional(),
    undo: z.string().optional(),
  }),
  errors: [
    'boot-disk-unknown',
    'boot-place-unfit',
    'boot-entry-unknown',
    'boot-partition-missing',
    'boot-partition-unfit',
    'not-root',
    'tool-missing',
  ],
  effect: 'change',
  runsOn: 'machine',
  long: true,
});
