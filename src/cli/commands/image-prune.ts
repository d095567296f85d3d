import type { z } from 'zod';
import { imagePrune } from '../../contract/operations/retention.ts';
import { formatBytes } from '../../foundation/bytes.ts';
import { ImprintError } from '../../foundation/errors.ts';
import { Task } from '../../foundation/task.ts';
import { pruneImages } from '../../operations/prune-images.ts';
import type { Invocation } from '../command.ts';
import { durationOption } from '../duration-option.ts';
import { formatAgo } from '../format-time.ts';
import { parseInput } from '../parse-input.ts';
import { printTable } from '../print-table.ts';
import type { Session } from '../session.ts';
import { numberOption } from './trust-words.ts';

type Output = z.output<typeof imagePrune.output>;

const rules = ['last', 'hourly', 'daily', 'weekly', 'monthly', 'yearly'] as const;

/** `imprint image prune IMAGE… --keep-…`: looks first, asks, then removes what was shown, were there newer versions by then or not. */
export async function run(session: Session, invocation: Invocation): Promise<void> {
  const input = readInput(invocation);
  const context = await session.context();
  const plan = await pruneImages(context, { ...input, dryRun: true }, Task.silent(session.signal));
  const { removed } = plan;
  if (session.globals.dryRun) {
    session.result({ dryRun: true, ...plan }, () => `${table(plan, session)}would remove ${count(removed.length)}\n`);
    return;
  }
  if (removed.length > 0) {
    session.say(table(plan, session).trimEnd());
    await session.confirm(`Removing ${count(removed.length)}`, `Remove ${removed.join(', ')} for good?`);
  }
  const output = await session.task('prune', (task) => pruneImages(context, { ...input, only: removed }, task));
  session.result(output, () => describe(output));
}

function readInput(invocation: Invocation): z.output<typeof imagePrune.input> {
  const images = [...invocation.argumentList(0)];
  if (images.length > 0 === invocation.flag('all'))
    throw new ImprintError('usage', {
      problem: images.length > 0 ? 'Images were named, and --all was given.' : 'No image was named.',
      hint: 'Name images (imprint images lists them), or give --all.',
    });
  const keep: Partial<Record<(typeof rules)[number], number>> = {};
  for (const rule of rules) {
    const flag = `--keep-${rule}`;
    const count = numberOption(invocation, `keep${rule[0]?.toUpperCase()}${rule.slice(1)}`, flag);
    if (count === 0) throw new ImprintError('input-invalid', { field: flag, problem: 'the least is 1' });
    if (count !== undefined) keep[rule] = count;
  }
  const within = durationOption(invocation, 'keepWithin');
  const grace = durationOption(invocation, 'grace');
  return parseInput(imagePrune.input, {
    images,
    keep,
    ...(within === undefined ? {} : { within }),
    tagged: invocation.flag('keepTagged'),
    ...(grace === undefined ? {} : { grace }),
  });
}

function table({ versions }: Output, session: Session): string {
  const { paint } = session.stdout;
  return printTable(
    session.stdout,
    [{ title: 'VERSION' }, { title: 'CAPTURED' }, { title: '' }, { title: 'WHY', shrink: true }],
    versions.map(({ reference, created, reasons }) => [
      reference,
      formatAgo(Date.parse(created), session.clock.now()),
      reasons.length > 0 ? 'stays' : paint('yellow', 'goes'),
      reasons.join(', '),
    ]),
  );
}

function describe({ removed, bytesFreed, bytesWaiting, bytesUnreferenced }: Output): string {
  if (removed.length === 0) return 'every version is kept\n';
  const later = bytesWaiting + bytesUnreferenced;
  const free = bytesFreed > 0 ? `; ${formatBytes(bytesFreed)} are free again` : '';
  const waiting = later > 0 ? `; imprint store gc frees up to ${formatBytes(later)} later` : '';
  return `removed ${count(removed.length)}${free}${waiting}\n`;
}

function count(versions: number): string {
  return `${versions} ${versions === 1 ? 'version' : 'versions'}`;
}
