import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { z } from 'zod';
import type { BootDisk } from '../contract/boot-copy.ts';
import type { ImagerBootCopy } from '../contract/imager-protocol.ts';
import {
  type bootCopyFetch,
  type bootCopyKeep,
  type bootCopyList,
  type KeptBootCopy,
  keptBootCopySchema,
} from '../contract/operations/boot-copies.ts';
import { ImprintError, toImprintError } from '../foundation/errors.ts';
import { writeFilesDurably } from '../store/durable.ts';
import { openCopy } from './boot/copy-file.ts';
import { type Changing, changing } from './changing.ts';
import type { Context } from './context.ts';
import type { DataPaths } from './data-paths.ts';
import { findMachine } from './find-machines.ts';
import { readNumbered, removeNumbered } from './numbered-records.ts';

/** Of each machine. */
const keptCopies = 10;

/** Takes a safety copy, after each byte of it was held against its hashes. Errors: `machine-not-found`, `boot-copy-invalid`, `disk-full`. */
export async function keepBootCopy(
  context: Context,
  input: z.output<typeof bootCopyKeep.input>,
): Promise<z.input<typeof bootCopyKeep.output>> {
  return keep(context, Buffer.from(input.content, 'base64'), async ({ machines }) => {
    const { name } = await findMachine(machines, input.machine);
    return { name };
  });
}

/** How many disks of a machine one install may write. */
const disksOfOrder = 8;

/**
 * Takes what boots from a disk that an install is about to write, from the boot of the imager that has the order. One that was cut and begins anew brings what
 * it left behind itself: of each disk the first copy of an order stays. Errors: `order-stale`, `boot-copy-invalid`, `disk-full`.
 */
export async function keepImagerBootCopy(context: Context, report: ImagerBootCopy): Promise<{ number: number }> {
  const { order, session } = report;
  const { copy } = await keep(context, Buffer.from(report.content, 'base64'), async ({ machines }) => {
    const machine = (await machines.all()).find((each) => each.order?.id === order);
    if (machine?.order?.phase !== 'running' || machine.order.session !== session) {
      throw new ImprintError('order-stale', { order });
    }
    return { name: machine.name, order };
  });
  return { number: copy.number };
}

/** `whose` says of which machine it is, or throws. */
async function keep(
  context: Context,
  content: Buffer,
  whose: (change: Changing) => Promise<{ name: string; order?: string }>,
): Promise<z.input<typeof bootCopyKeep.output>> {
  const { created, disk } = await recordOf(content);
  // In a transaction, so that two at once do not get one number.
  const kept = await changing(context, async (change) => {
    const { name, order } = await whose(change);
    const { time } = change;
    const before =
      order === undefined ? [] : (await copiesOf(context.paths, name)).filter((each) => each.order === order);
    const same = before.find((each) => isSameDisk(each.disk, disk));
    if (same !== undefined) return { machine: name, copy: same };
    if (before.length >= disksOfOrder) {
      const problem = `${disksOfOrder} others came before this install already`;
      throw new ImprintError('boot-copy-invalid', { file: `The copy of ${disk.path}`, problem });
    }
    const directory = directoryOf(context.paths, name);
    const [last] = await copiesOf(context.paths, name);
    const copy: KeptBootCopy = {
      ...{ number: (last?.number ?? 0) + 1, bytes: content.length, created, disk, received: time },
      sha256: createHash('sha256').update(content).digest('hex'),
      ...(order === undefined ? {} : { order }),
    };
    try {
      await mkdir(directory, { recursive: true, mode: 0o700 });
      const files = [
        { path: join(directory, `${copy.number}.tar.gz`), content },
        { path: join(directory, `${copy.number}.json`), content: `${JSON.stringify(copy)}\n` },
      ];
      await writeFilesDurably(files, directory);
      await removeNumbered(directory, (await copiesOf(context.paths, name)).slice(keptCopies), '.tar.gz');
    } catch (thrown) {
      throw toImprintError(thrown);
    }
    return { machine: name, copy };
  });
  const { number, bytes } = kept.copy;
  context.log.info({ machine: kept.machine, number, bytes }, 'a safety copy was kept');
  return kept;
}

/** The newest first. */
export async function listBootCopies(
  context: Context,
  input: z.output<typeof bootCopyList.input>,
): Promise<z.input<typeof bootCopyList.output>> {
  const { name } = await findMachine((await context.database()).machines, input.machine);
  return { machine: name, copies: await copiesOf(context.paths, name) };
}

/** Errors: `machine-not-found`, `boot-copy-missing`. */
export async function fetchBootCopy(
  context: Context,
  input: z.output<typeof bootCopyFetch.input>,
): Promise<z.input<typeof bootCopyFetch.output>> {
  const { name } = await findMachine((await context.database()).machines, input.machine);
  const copies = await copiesOf(context.paths, name);
  const copy = input.number === undefined ? copies[0] : copies.find(({ number }) => number === input.number);
  if (copy === undefined) throw new ImprintError('boot-copy-missing', { machine: name });
  const content = await readFile(join(directoryOf(context.paths, name), `${copy.number}.tar.gz`));
  return { machine: name, copy, content: content.toString('base64') };
}

/** Forgets those of a machine that is no more. */
export async function forgetBootCopies(paths: DataPaths, machine: string): Promise<void> {
  await rm(directoryOf(paths, machine), { recursive: true, force: true });
}

function isSameDisk(left: BootDisk, right: BootDisk): boolean {
  if (left.size !== right.size || left.serial !== right.serial || left.wwn !== right.wwn) return false;
  // Names of devices change from boot to boot.
  return left.serial !== undefined || left.wwn !== undefined || left.path === right.path;
}

function copiesOf(paths: DataPaths, machine: string): Promise<KeptBootCopy[]> {
  return readNumbered(directoryOf(paths, machine), keptBootCopySchema);
}

async function recordOf(content: Uint8Array) {
  const directory = await mkdtemp(join(tmpdir(), 'imprint-kept-'));
  try {
    const file = join(directory, 'copy.tar.gz');
    await writeFile(file, content, { mode: 0o600 });
    await using copy = await openCopy(file, new AbortController().signal);
    return copy.record;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

function directoryOf({ bootCopies }: DataPaths, machine: string): string {
  return join(bootCopies, machine.toLowerCase());
}
