import { type ImageBlame, imageBlame } from '../../contract/operations/comparisons.ts';
import { blamePath } from '../../operations/blame-path.ts';
import type { Invocation } from '../command.ts';
import { formatDate } from '../format-time.ts';
import { parseInput } from '../parse-input.ts';
import type { Session } from '../session.ts';
import type { Terminal } from '../terminal.ts';

/** `imprint image blame REF PATH`: attributes, then lines, each with the version that it is from. */
export async function run(session: Session, invocation: Invocation): Promise<void> {
  const input = parseInput(imageBlame.input, { reference: invocation.argument(0), path: invocation.argument(1) });
  const context = await session.context();
  const blame = await session.task('look back', (task) => blamePath(context, input, task));
  session.result(blame, () => describe(blame, session.stdout));
}

function describe(
  { reference, path, attributes, versions, package: owner, lines }: ImageBlame,
  terminal: Terminal,
): string {
  const width = Math.max(...versions.map(({ number }) => String(number).length)) + 1;
  const dates = new Map(versions.map(({ number, created }) => [number, formatDate(Date.parse(created))]));
  const since = (number: number) => {
    const when = dates.get(number) ?? '';
    return `${terminal.paint('yellow', `v${number}`.padEnd(width))} ${terminal.paint('dim', when)}`;
  };
  const from = owner === undefined ? '' : `  from package ${owner.id} ${owner.version}`;
  const head = `${terminal.paint('bold', path)} in ${reference}${terminal.paint('dim', from)}\n\n`;
  const named = attributes.map(
    ({ attribute, since: number, value }) => `${since(number)}  ${attribute.padEnd(8)} ${value}\n`,
  );
  if (lines === undefined || lines.length === 0) return head + named.join('');
  const digits = String(lines.length).length;
  const text = lines.map(({ since: number, text: line }, index) => {
    const place = terminal.paint('dim', String(index + 1).padStart(digits));
    return `${since(number)}  ${place}  ${printable(line)}\n`;
  });
  return `${head}${named.join('')}\n${text.join('')}`;
}

/** Control characters of a file must not reach the terminal. */
function printable(line: string): string {
  return line.replaceAll(/[\x00-\x08\x0b-\x1f\x7f-\x9f]/g, '�');
}
