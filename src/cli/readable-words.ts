import { displayPath, type RawPath } from '../foundation/brand.ts';
import { ImprintError } from '../foundation/errors.ts';

/** What stands for bytes that are no text where Node has made text of them. */
const replacement = '\ufffd';

/**
 * Refuses words that are not UTF-8 (`usage`): Node hands them over with their bytes lost, so that a path would name something else.
 * `bytes`: gives the process's whole command line, each word with a NUL behind it, as `/proc/self/cmdline` has it; our words are its last.
 */
export async function refuseUnreadable(words: readonly string[], bytes: () => Promise<Buffer>): Promise<void> {
  if (!words.some((word) => word.includes(replacement))) return;
  const raw = (await bytes()).toString('latin1').split('\0').slice(0, -1).slice(-words.length);
  const broken = raw.find((word) => !isText(word));
  if (broken === undefined) return;
  throw new ImprintError('usage', {
    problem: `“${displayPath(broken as RawPath)}” is not UTF-8.`,
    hint: 'In a path inside an image, write \\x and two digits for a byte that is no text, as imprint image ls does.',
  });
}

function isText(word: string): boolean {
  return Buffer.from(Buffer.from(word, 'latin1').toString('utf8'), 'utf8').toString('latin1') === word;
}
