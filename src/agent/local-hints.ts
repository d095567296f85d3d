import type { ErrorValue } from '../foundation/errors.ts';

/** What to do, where there is no server and no command line: a `local.cfg`, a medium, and whoever stands at the machine. */
const instead: readonly (readonly [RegExp, string])[] = [
  [/imprint machine set \S+ --disk (\S+)/, 'DISK=$1 in local.cfg'],
  [/imprint machine set \S+ --erase ([\w,]+)/, 'ERASE=$1 in local.cfg'],
  [
    /List what there is: imprint images/,
    'Make the medium with it (imprint media usb --image NAME), or name a server: IMAGESERVER=… in local.cfg',
  ],
];

/** An error of an install by a `local.cfg`, with hints that can be followed there. */
export function atTheMachine(error: ErrorValue): ErrorValue {
  return { ...error, hint: instead.reduce((hint, [words, better]) => hint.replace(words, better), error.hint) };
}
