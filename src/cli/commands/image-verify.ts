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
  const says =
    attribute === 'existence'
      ? `is ${actual}, should be ${expected}`
      : `${attribute} is ${actual}, should be ${expected}`;
  return `${terminal.paint('bold', path)}: ${says}\n`;
}
