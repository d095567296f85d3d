import { imageVerify, type ListedDifference } from '../../contract/operations/images.ts';
import { formatBytes } from '../../foundation/bytes.ts';
import { treeDiffers, verifyImage } from '../../operations/verify-image.ts';
import type { Invocation } from '../command.ts';
import { parseInput } from '../parse-input.ts';
import type { Session } from '../session.ts';
import type { Terminal } from '../terminal.ts';

/** `imprint image verify REF [DIRECTORY]`: each difference a line, exit status 5 where there is any. */
export async function run(session: Session, invocation: Invocation): Promise<void> {
  const directory = invocation.optionalArgument(1);
  const input = parseInput(imageVerify.input, {
    reference: invocation.argument(0),
    ...(directory === undefined ? {} : { directory }),
  });
  const context = await session.context();
  const differences: ListedDifference[] = [];
  const output = await session.task(`verify ${input.reference}`, (task) =>
    verifyImage(context, input, task, (difference) => void differences.push(difference)),
  );
  const { reference } = output;
  const size = `${output.entries.toLocaleString('en-GB')} entries, ${formatBytes(output.bytes)}`;
  session.result({ ...output, list: differences }, () => {
    if (differences.length > 0) return differences.map((each) => lineOf(each, session.stdout)).join('');
    return directory === undefined
      ? `${reference} is whole: ${size} checked\n`
      : `${directory} is exactly ${reference}: ${size} compared\n`;
  });
  const error = treeDiffers(output, directory ?? '');
  if (error) throw error;
}

/** `etc/fstab: mode is 0600, should be 0644`. */
function lineOf({ path, attribute, expected, actual }: ListedDifference, terminal: Terminal): string {
  const name = terminal.paint('bold', path);
  if (attribute === 'existence') {
    return actual === 'missing' ? `${name}: is missing (a ${expected})\n` : `${name}: should not be there\n`;
  }
  const words = attribute === 'mtime' ? [timeText(actual), timeText(expected)] : [actual, expected];
  return `${name}: ${attribute} is ${words[0]}, should be ${words[1]}\n`;
}

/** Seconds since 1970 with nine digits behind the point, as a date. */
function timeText(text: string): string {
  const match = /^(-?\d+)\.(\d{9})$/.exec(text);
  if (!match) return text;
  return `${new Date(Number(match[1]) * 1000).toISOString().slice(0, 19).replace('T', ' ')}.${match[2]}`;
}
