import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bootSave } from '../../contract/operations/boot.ts';
import { formatBytes } from '../../foundation/bytes.ts';
import { ImprintError } from '../../foundation/errors.ts';
import { diskWords } from '../../machine/boot-copy-words.ts';
import { findBootDisk } from '../../operations/boot/find-boot-disk.ts';
import { saveBoot } from '../../operations/boot/save-boot.ts';
import { systemProcesses } from '../../system/run.ts';
import type { Invocation } from '../command.ts';
import { parseInput } from '../parse-input.ts';
import { printTable } from '../print-table.ts';
import { sendBootCopy } from '../server-boot-copy.ts';
import type { Session } from '../session.ts';

/** `imprint boot save [FILE] [--machine NAME] [--disk DISK]`. */
export async function run(session: Session, invocation: Invocation): Promise<void> {
  const [file, machine, disk] = [invocation.optionalArgument(0), invocation.text('machine'), invocation.text('disk')];
  if (file === undefined && machine === undefined) {
    const hint = 'imprint boot save FILE, or to the server: imprint boot save --machine NAME';
    throw new ImprintError('usage', { problem: 'imprint boot save needs a place for the copy.', hint });
  }
  await using work = await workDirectory();
  const input = parseInput(bootSave.input, {
    file: file ?? join(work.path, 'copy.boot.tar.gz'),
    force: invocation.flag('force'),
    ...(disk === undefined ? {} : { disk }),
  });
  const places = [
    ...(file === undefined ? [] : [file]),
    ...(machine === undefined ? [] : [`the server, as ${machine}’s`]),
  ];
  if (session.globals.dryRun) {
    const { path } = await findBootDisk(systemProcesses, input.disk);
    const words = `would keep the boot parts of ${path} in ${places.join(' and at ')}\n`;
    session.result({ dryRun: true, file: file ?? null, machine: machine ?? null, disk: path }, () => words);
    return;
  }
  const context = { processes: systemProcesses, clock: session.clock };
  const output = await session.task('keep what boots', (task) => saveBoot(context, input, task));
  for (const warning of output.warnings) session.warn(warning);
  const copy = machine === undefined ? undefined : await sendBootCopy(session, machine, input.file);
  const { file: path, ...rest } = output;
  const result = { ...rest, ...(file === undefined ? {} : { file: path }), ...(copy === undefined ? {} : { copy }) };
  session.result(result, () => {
    const table = printTable(
      session.stdout,
      [{ title: 'PART' }, { title: 'HOLDS', shrink: true }, { title: 'SIZE', align: 'right' }],
      output.parts.map(({ part, what, bytes }) => [part, what, formatBytes(bytes)]),
    );
    const at = copy === undefined ? '' : `; the server has it as copy ${copy.number} of ${machine}`;
    const where = file === undefined ? 'is kept' : `is kept in ${path}`;
    return `${table}\n${diskWords(output.disk)} ${where} (${formatBytes(output.bytes)})${at}\n`;
  });
}

async function workDirectory(): Promise<AsyncDisposable & { path: string }> {
  const path = await mkdtemp(join(tmpdir(), 'imprint-save-'));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}
