import { type CaptureOutput, captureInputSchema } from '../../contract/operations/capture.ts';
import { displayPath, type RawPath } from '../../foundation/brand.ts';
import { formatBytes } from '../../foundation/bytes.ts';
import { captureImage } from '../../operations/capture-image.ts';
import type { Invocation } from '../command.ts';
import { formatCount, madeVersionFields } from '../made-version.ts';
import { parseInput } from '../parse-input.ts';
import { printFields } from '../print-table.ts';
import type { Session } from '../session.ts';
import { numberOption } from './trust-words.ts';

const listLimit = 20;

/** `imprint capture SOURCE --name IMAGE`. */
export async function run(session: Session, invocation: Invocation): Promise<void> {
  const tag = invocation.text('tag');
  const message = invocation.text('message');
  const expires = invocation.text('expires');
  const floor = numberOption(invocation, 'floor', '--floor');
  const identity = invocation.text('identity');
  const door = invocation.text('door');
  const input = parseInput(captureInputSchema, {
    source: invocation.argument(0),
    name: invocation.text('name') ?? '',
    excludes: invocation.list('exclude'),
    // Commander turns --no-default-excludes into a true that becomes false.
    noDefaultExcludes: !invocation.flag('defaultExcludes'),
    keepSecrets: invocation.flag('keepSecrets'),
    oneFileSystem: invocation.flag('oneFileSystem'),
    paranoid: invocation.flag('paranoid'),
    // Commander turns --no-snapshot and --no-scripts into trues that become false.
    noSnapshot: !invocation.flag('snapshot'),
    noScripts: !invocation.flag('scripts'),
    sshOptions: invocation.list('sshOption'),
    ...(tag === undefined ? {} : { tag }),
    ...(message === undefined ? {} : { message }),
    ...(expires === undefined ? {} : { expires }),
    ...(floor === undefined ? {} : { floor }),
    ...(identity === undefined ? {} : { identity }),
    ...(door === undefined ? {} : { door }),
  });
  const context = await session.context();
  if (session.globals.dryRun) {
    const words = `would capture ${input.source} as a new version of ${input.name} in ${context.storeLocation}\n`;
    const { door: _, ...told } = input;
    session.result({ dryRun: true, store: context.storeLocation, ...told }, () => words);
    return;
  }
  const output = await session.task(`capture ${input.name}`, (task) => captureImage(context, input, task));
  session.result(output, () => describe(output, session));
}

function describe(output: CaptureOutput, session: Session): string {
  const { stats } = output;
  const read = stats.files - output.unchangedFiles;
  const unchanged =
    output.unchangedFiles > 0
      ? `; ${formatCount(Math.max(0, read))} read, ${formatCount(output.unchangedFiles)} unchanged`
      : '';
  return printFields(session.stdout, [
    ...madeVersionFields(output, session),
    ['entries', `${formatCount(stats.entries)}, of which ${formatCount(stats.files)} files${unchanged}`],
    ['content', formatBytes(stats.contentBytes)],
    ['added', `${formatBytes(stats.newBytes)} to the store`],
    ['left out', few(output.excluded)],
    ['scrubbed', few(output.scrubbed)],
    ['warnings', few(output.warnings)],
  ]);
}

/** Lines of raw paths for people; the rest is for --json. */
function few(lines: readonly string[]): string {
  const shown = lines.slice(0, listLimit).map((line) => displayPath(line as RawPath));
  return [...shown, ...(lines.length > listLimit ? [`… and ${lines.length - listLimit} more`] : [])].join('\n');
}
