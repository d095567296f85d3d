import { layoutShow } from '../../contract/operations/layouts.ts';
import { layoutText } from '../../operations/layouts/find-layout.ts';
import type { Invocation } from '../command.ts';
import { readNamedLayout } from '../named-layout.ts';
import { parseInput } from '../parse-input.ts';
import type { Session } from '../session.ts';

/** `imprint layout show LAYOUT`: as YAML. */
export async function run(session: Session, invocation: Invocation): Promise<void> {
  const input = parseInput(layoutShow.input, await readNamedLayout(invocation.argument(0)));
  const shown = { name: input.name, text: await layoutText(await session.context(), input) };
  session.result(shown, () => shown.text);
}
