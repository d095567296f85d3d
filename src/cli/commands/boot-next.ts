import { bootNext } from '../../contract/operations/boot.ts';
import { chooseNext, pickEntry, readNext } from '../../operations/boot/choose-next.ts';
import { startOnce } from '../../operations/boot/own-systems.ts';
import type { Invocation } from '../command.ts';
import { parseInput } from '../parse-input.ts';
import { printTable } from '../print-table.ts';
import type { Session } from '../session.ts';
import { thisMachine } from '../this-machine.ts';

/** One of several systems of Imprint's own on this machine. */
async function ownSystem(session: Session, name: string) {
  if (process.getuid?.() !== 0) return undefined;
  const machine = await thisMachine(session, 'Choosing a system').catch(() => undefined);
  return machine && (await startOnce(machine, name, !session.globals.dryRun));
}

/** `imprint boot next [ENTRY] [--cancel]`. */
export async function run(session: Session, invocation: Invocation): Promise<void> {
  const entry = invocation.optionalArgument(0);
  const cancel = invocation.flag('cancel');
  const input = parseInput(bootNext.input, { cancel, ...(entry === undefined ? {} : { entry }) });
  const own = entry === undefined ? undefined : await ownSystem(session, entry);
  if (own !== undefined) {
    const [result, words] = [{ entries: [], own }, `${own.reference} (${own.entry}) starts next, once\n`];
    if (session.globals.dryRun) session.result({ dryRun: true, ...result }, () => `would choose: ${words}`);
    else session.result(result, () => words);
    return;
  }
  if (session.globals.dryRun) {
    const { entries } = await readNext({});
    const picked = entry === undefined ? undefined : pickEntry(entries, entry);
    const words =
      picked === undefined
        ? 'nothing would be chosen'
        : `would have ${picked.name} (${picked.number}) started next, once`;
    session.result({ dryRun: true, entry: picked ?? null }, () => `${words}\n`);
    return;
  }
  const output = await chooseNext({}, input);
  session.result(output, () => {
    const next = output.entries.find((each) => each.next);
    if (entry !== undefined && next !== undefined) return `${next.name} (${next.number}) starts next, once\n`;
    return printTable(
      session.stdout,
      [{ title: 'ENTRY' }, { title: 'NAME', shrink: true }, { title: 'STARTS' }, { title: 'IS' }],
      output.entries.map(({ number, name, file = '', active, current, next: chosen }) => [
        ...[number, name, file],
        [...(chosen ? ['next'] : []), ...(current ? ['running'] : []), ...(active ? [] : ['off'])].join(', '),
      ]),
    );
  });
}
