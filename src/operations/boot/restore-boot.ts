import { basename, dirname, join, resolve } from 'node:path';
import type { z } from 'zod';
import type { BootDifference } from '../../contract/boot-copy.ts';
import type { bootRestore } from '../../contract/operations/boot.ts';
import { ImprintError } from '../../foundation/errors.ts';
import type { Task } from '../../foundation/task.ts';
import type { WantedArea } from '../../machine/boot-areas.ts';
import type { BootFacts } from '../../planning/boot-facts.ts';
import { describeRestoreStep, planBootRestore, type RestoreStep } from '../../planning/plan-boot-restore.ts';
import { BootDisk } from '../../system/boot-disk.ts';
import { type BootContext, surroundingsOf } from './boot-surroundings.ts';
import { compareBoot, differencesOf } from './compare-boot.ts';
import { type OpenCopy, openCopy, writeCopy } from './copy-file.ts';
import { matchDisk } from './match-disk.ts';
import { replacedAreas } from './replaced-areas.ts';
import { applyRestoreStep } from './restore-steps.ts';
import { type BootScan, scanBoot } from './scan-boot.ts';

type Input = z.output<typeof bootRestore.input>;
type Output = z.output<typeof bootRestore.output>;

/** What a restore would do, before anything is done. */
export interface PreparedRestore extends AsyncDisposable {
  readonly disk: Output['disk'];
  readonly differences: readonly BootDifference[];
  /** In words, in their order. */
  readonly steps: readonly string[];
  readonly left: readonly string[];
  /** Where what is there now will be kept. */
  readonly undo: string;
  /** Keeps what is there, writes, reads back. Errors: `boot-unproven`, `disk-full`, `io-failed`, `process-failed`, `interrupted`. */
  apply(task: Task): Promise<Output>;
}

/**
 * Opens a safety copy, finds its disk, and plans what to write; writes nothing. Errors: `boot-copy-invalid`, `boot-copy-foreign`,
 * `boot-disk-unknown`, `boot-restore-refused`, `not-root`, `io-failed`.
 */
export async function prepareRestore(context: BootContext, input: Input, task: Task): Promise<PreparedRestore> {
  const copy = await openCopy(input.file, task.signal);
  try {
    const chosen = await matchDisk(context, copy, input, task.signal);
    const look = await lookAt(context, copy, chosen, task.signal);
    const wish = {
      copy: copy.record,
      file: input.file,
      force: input.force,
      ...(input.parts === undefined ? {} : { parts: input.parts }),
    };
    const answer = planBootRestore(wish, look.facts);
    if (answer.kind === 'refused') throw answer.error;
    const steps = answer.steps.map(describeRestoreStep);
    const undo = resolve(input.undo ?? undoName(input.file, context.clock.now()));
    const shown = { disk: look.facts.disk, differences: differencesOf(look.facts), steps, left: answer.left };
    return {
      ...shown,
      undo,
      apply: async (inner) => {
        if (steps.length === 0) return shown;
        const also = replacedAreas(answer.steps, look.scan.record);
        await keepPresent(context, copy, chosen, also, undo, inner);
        await write(context, copy, chosen.path, answer.steps, inner);
        await inner.part('read back', (part) => prove(context, copy, chosen, answer.steps, undo, part));
        return { ...shown, undo };
      },
      [Symbol.asyncDispose]: () => copy[Symbol.asyncDispose](),
    };
  } catch (thrown) {
    await copy[Symbol.asyncDispose]();
    throw thrown;
  }
}

type Chosen = Awaited<ReturnType<typeof matchDisk>>;

async function lookAt(
  context: BootContext,
  copy: OpenCopy,
  { path, names }: Chosen,
  signal: AbortSignal,
): Promise<{ facts: BootFacts; scan: BootScan }> {
  using disk = await BootDisk.open(context.processes, path, 'read', copy.record.disk.sectorSize);
  const around = await surroundingsOf(context, disk, names, signal);
  const scan = await scanBoot(disk, around);
  return { scan, facts: await compareBoot(disk, copy, scan, around) };
}

/** A safety copy of what is there, with every byte that the plan will write over. */
async function keepPresent(
  context: BootContext,
  copy: OpenCopy,
  { path, names }: Chosen,
  also: readonly WantedArea[],
  undo: string,
  task: Task,
): Promise<void> {
  using disk = await BootDisk.open(context.processes, path, 'read', copy.record.disk.sectorSize);
  const around = await surroundingsOf(context, disk, names, task.signal);
  const scan = await scanBoot(disk, { ...around, also });
  await writeCopy(undo, scan, task.signal);
  task.log(`what is there now is kept in ${undo}`);
}

async function write(
  context: BootContext,
  copy: OpenCopy,
  path: string,
  steps: readonly RestoreStep[],
  task: Task,
): Promise<void> {
  using disk = await BootDisk.open(context.processes, path, 'write');
  task.expect(steps.length, 'steps');
  for (const step of steps) {
    task.log(describeRestoreStep(step));
    // From here on nothing is left half done for an interrupt: a step is short.
    await applyRestoreStep(context, disk, copy, step);
    await disk.flush();
    task.advance(1);
  }
  const hasTable = steps.some((step) => step.kind === 'write-area' && step.area.part === 'table');
  if (hasTable && !(await disk.rereadTable())) {
    task.warn('the kernel keeps its old view of the partitions until the next restart');
  }
}

/** Looks once more, from the disk: nothing that was written may differ. */
async function prove(
  context: BootContext,
  copy: OpenCopy,
  chosen: Chosen,
  steps: readonly RestoreStep[],
  undo: string,
  task: Task,
): Promise<void> {
  const { facts } = await lookAt(context, copy, chosen, task.signal);
  const problems = steps.flatMap((step) => unproven(step, facts));
  const [first] = problems;
  if (first === undefined) return;
  const more = problems.length === 1 ? '' : `, and ${problems.length - 1} more`;
  throw new ImprintError('boot-unproven', { disk: facts.disk.path, problem: `${first}${more}`, undo });
}

function unproven(step: RestoreStep, facts: BootFacts): string[] {
  if (step.kind === 'write-area') {
    const found = facts.areas.find(({ area }) => area.name === step.area.name && area.part === step.area.part);
    return found?.differs === undefined ? [] : [`${step.area.name} ${found.differs}`];
  }
  if (step.kind === 'write-variables') {
    const { missing = [], changed = [] } = facts.variables ?? {};
    return step.names
      .filter((name) => missing.includes(name) || changed.includes(name))
      .map((name) => `${name} differs`);
  }
  const volume = facts.volumes.find(({ partition }) => partition === step.volume.partition);
  if (volume?.state !== 'there') return [`the ESP, partition ${step.volume.partition}, cannot be read`];
  const wrong = [...volume.missing, ...volume.changed];
  const written = step.kind === 'rebuild-volume' ? wrong : wrong.filter((path) => step.paths.includes(path));
  return written.map((path) => `${path} differs`);
}

/** Beside the copy, with the time: `web01-before-20261121-174500.tar.gz`. */
function undoName(file: string, now: number): string {
  const time = new Date(now).toISOString().replace(/\..*$/, '').replaceAll(/[-:]/g, '').replace('T', '-');
  const stem = basename(file).replace(/(\.tar)?\.gz$|\.tgz$/, '');
  return join(dirname(file), `${stem}-before-${time}.tar.gz`);
}
