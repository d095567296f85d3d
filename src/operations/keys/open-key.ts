import { stat } from 'node:fs/promises';
import { ImprintError } from '../../foundation/errors.ts';
import type { Task } from '../../foundation/task.ts';
import { mediumLabels } from '../../machine/medium-names.ts';
import { sfdiskTableSchema } from '../../machine/sfdisk-table.ts';
import { IsoPartition } from '../../system/iso-partition.ts';
import type { Context } from '../context.ts';
import { findTargetDisk } from '../media/medium-target.ts';

/** A key, found to be one. Bytes. */
export interface OpenKey {
  path: string;
  isDevice: boolean;
  /** Of the file or disk. */
  size: number;
  /** The partition with the ISO files. */
  isos: { start: number; size: number };
  partition: IsoPartition;
}

const mebibyte = 2 ** 20;

/**
 * Finds the partition with the ISO files, and puts right what a key has that was pulled out too early. Errors: `key-not-found`, `key-damaged`, `device-refused`,
 * `tool-missing`. With `asItIs` nothing is put right, and so nothing written.
 */
export async function openKey(
  context: Pick<Context, 'processes'>,
  path: string,
  task: Task,
  { asItIs = false } = {},
): Promise<OpenKey> {
  const device = await findTargetDisk(context, path);
  const size = device?.size ?? (await stat(path).catch(() => undefined))?.size;
  if (size === undefined) throw new ImprintError('key-not-found', { key: path, problem: 'it does not exist' });
  const isos = await findIsos(context, path);
  if (isos === undefined)
    throw new ImprintError('key-not-found', { key: path, problem: `it has no partition “${mediumLabels.isos}”` });
  const partition = new IsoPartition(context.processes, { path, start: isos.start }, task.signal);
  if (!asItIs) await partition.check();
  return { path, isDevice: device !== undefined, size, isos, partition };
}

/** Bytes behind the last partition that are nobody's, but for the copy of the table. */
export function unusedOf({ size, isos }: Pick<OpenKey, 'size' | 'isos'>): number {
  const end = Math.floor(size / mebibyte) * mebibyte - mebibyte;
  return Math.max(0, end - isos.start - isos.size);
}

async function findIsos({ processes }: Pick<Context, 'processes'>, path: string) {
  const { stdout, status } = await processes.run('sfdisk', ['--json', path], { timeout: 60_000, accept: [0, 1] });
  const parsed = status === 0 ? sfdiskTableSchema.safeParse(JSON.parse(stdout)) : undefined;
  if (!parsed?.success || parsed.data.partitiontable.label !== 'gpt') return undefined;
  const found = parsed.data.partitiontable.partitions.find(
    ({ node, name }) => name === mediumLabels.isos && /(^|[^\d])3$/.test(node.slice(path.length) || node),
  );
  return found === undefined ? undefined : { start: found.start * 512, size: found.size * 512 };
}
