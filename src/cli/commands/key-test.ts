import {
  type KeyTestInput,
  type KeyTestOutput,
  type KeyTestResult,
  keyTestInputSchema,
} from '../../contract/operations/keys.ts';
import { ImprintError } from '../../foundation/errors.ts';
import { testKey } from '../../operations/keys/test-key.ts';
import type { Invocation } from '../command.ts';
import { parseInput } from '../parse-input.ts';
import { printTable } from '../print-table.ts';
import type { Session } from '../session.ts';

/** `imprint key test KEY`. */
export async function run(session: Session, invocation: Invocation): Promise<void> {
  const [firmware, limit, directory] = ['firmware', 'limit', 'output'].map((name) => invocation.text(name));
  const input = parseInput(keyTestInputSchema, {
    key: invocation.argument(0),
    isos: invocation.list('iso'),
    ...(firmware === undefined ? {} : { firmware: firmware as KeyTestInput['firmware'] }),
    ...(limit === undefined ? {} : { limit }),
    ...(directory === undefined ? {} : { directory }),
  });
  if (session.globals.dryRun) {
    const which = input.isos.length === 0 ? 'every ISO file' : input.isos.join(', ');
    session.result({ dryRun: true, ...input }, () => `would start ${which} of ${input.key} in QEMU\n`);
    return;
  }
  const context = await session.context();
  const output = await session.task(`start what is on ${input.key}`, (task) => testKey(context, input, task));
  session.result(output, () => describe(session, output));
  const bad = output.results.filter(({ verdict }) => verdict === 'failed');
  if (bad.length === 0) return;
  const isos = bad.map(({ iso, firmware: on }) => `${iso} (${on.toUpperCase()})`).join(', ');
  const count = `${bad.length} of ${output.results.length}`;
  throw new ImprintError('iso-not-started', { count, isos, directory: output.directory });
}

const verdicts: Record<KeyTestResult['verdict'], string> = {
  runs: 'runs',
  refused: 'refused, as it says',
  unclear: 'started; see its picture',
  failed: 'FAILED',
};

const stages: Record<KeyTestResult['stage'], string> = {
  nothing: 'nothing',
  menu: 'the key’s menu',
  refused: 'the key’s menu',
  chosen: 'chosen',
  kernel: 'its kernel',
  initramfs: 'its initramfs',
  running: 'its system',
};

function describe(session: Session, { results, directory, accelerator }: KeyTestOutput): string {
  const rows = results.map(({ iso, firmware, verdict, stage, seconds }) => [
    iso,
    firmware.toUpperCase(),
    verdicts[verdict],
    stages[stage],
    `${seconds} s`,
  ]);
  const titles = [
    { title: 'ISO', shrink: true },
    { title: 'ON' },
    { title: 'RESULT' },
    { title: 'CAME TO' },
    { title: 'TIME', align: 'right' as const },
  ];
  const problems = results.flatMap(({ iso, firmware, problem, said }) =>
    problem === undefined
      ? []
      : [`${iso} on ${firmware.toUpperCase()}: ${problem}${said === undefined ? '' : `; it said: ${said}`}\n`],
  );
  const slow = accelerator === 'tcg' ? ' (without KVM: many times slower than a real machine)' : '';
  return `${printTable(session.stdout, titles, rows)}${problems.join('')}Logs and pictures: ${directory}${slow}\n`;
}
