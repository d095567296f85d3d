import type { z } from 'zod';
import type { bootNext } from '../../contract/operations/boot.ts';
import { ImprintError } from '../../foundation/errors.ts';
import { parseBootOrder, parseLoadOption } from '../../machine/load-option.ts';
import {
  forgetBootNext,
  readBootVariables,
  variablesDirectory,
  writeBootVariable,
} from '../../system/boot-variables.ts';
import type { BootContext } from './boot-surroundings.ts';

type Output = z.output<typeof bootNext.output>;
type Entry = Output['entries'][number];

/** Kept, and to be seen before and after the start of a system: the attributes of every boot variable. */
const attributes = Buffer.from([7, 0, 0, 0]);

/** What the firmware may start, and what it starts next. Errors: `firmware-silent`, `io-failed`. */
export async function readNext({ variables = variablesDirectory }: Pick<BootContext, 'variables'>): Promise<Output> {
  const found = await readBootVariables(variables, true);
  if (found === undefined) throw new ImprintError('firmware-silent', { problem: `${variables} is empty or not there` });
  const [current] = parseBootOrder(found.get('BootCurrent'));
  const [next] = parseBootOrder(found.get('BootNext'));
  const known = [...found.keys()].filter((name) => /^Boot[0-9A-F]{4}$/.test(name));
  const order = parseBootOrder(found.get('BootOrder')).filter((name) => known.includes(name));
  const names = [...new Set([...order, ...known])];
  const entries = names.flatMap((name): Entry[] => {
    const option = parseLoadOption(found.get(name) ?? Buffer.alloc(0));
    if (option === undefined) return [];
    const { name: title, active, file } = option;
    const state = { active, current: name === current, next: name === next };
    return [{ number: name.slice(4), name: title, ...(file === undefined ? {} : { file }), ...state }];
  });
  return { entries };
}

/**
 * Chooses what the firmware starts next, once; without an entry nothing changes, with `cancel` the choice is taken back. Errors: `boot-entry-unknown`
 * where nothing, or more than one, fits; `firmware-silent`, `io-failed`.
 */
export async function chooseNext(
  context: Pick<BootContext, 'variables'>,
  input: z.output<typeof bootNext.input>,
): Promise<Output> {
  const { variables = variablesDirectory } = context;
  const { entries } = await readNext(context);
  if (input.cancel) await forgetBootNext(variables);
  if (input.entry === undefined) return input.cancel ? readNext(context) : { entries };
  const number = Number.parseInt(pickEntry(entries, input.entry).number, 16);
  const value = Buffer.alloc(2);
  value.writeUInt16LE(number);
  await writeBootVariable('BootNext', Buffer.concat([attributes, value]), variables);
  return readNext(context);
}

/** The entry that is meant: by its number, else by its name, of which a part is enough where it fits only one. */
export function pickEntry(entries: readonly Entry[], wish: string): Entry {
  const wanted = wish.toLowerCase();
  const byNumber = entries.filter(({ number }) => number.toLowerCase() === wanted.replace(/^boot/, ''));
  const exactly = entries.filter(({ name }) => name.toLowerCase() === wanted);
  const isWindows = ({ file }: Entry) => /\\microsoft\\boot\\bootmgfw\.efi$/i.test(file ?? '');
  const partly = entries.filter(
    (entry) => entry.name.toLowerCase().includes(wanted) || (wanted === 'windows' && isWindows(entry)),
  );
  const fitting = [byNumber, exactly, partly].find((each) => each.length > 0) ?? [];
  const [entry, another] = fitting;
  if (entry !== undefined && another === undefined) return entry;
  const listed = (fitting.length > 0 ? fitting : entries).map(({ number, name }) => `${number} (${name})`);
  throw new ImprintError('boot-entry-unknown', { entry: wish, known: listed.join(', ') });
}
