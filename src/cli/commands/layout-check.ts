import { layoutCheck } from '../../contract/operations/layouts.ts';
import { checkLayout, layoutFails } from '../../operations/layouts/check-layout.ts';
import type { Invocation } from '../command.ts';
import { readNamedLayout } from '../named-layout.ts';
import { parseInput } from '../parse-input.ts';
import type { Session } from '../session.ts';

/** `imprint layout check LAYOUT`: each mistake a line with its place; exit status 2 where there is any. */
export async function run(session: Session, invocation: Invocation): Promise<void> {
  const input = parseInput(layoutCheck.input, await readNamedLayout(invocation.argument(0)));
  const checked = await checkLayout(await session.context(), input);
  session.result(checked, () =>
    checked.problems.length === 0
      ? `${checked.name} is a good layout\n`
      : checked.problems.map(({ place, problem }) => `${session.stdout.paint('bold', place)}: ${problem}\n`).join(''),
  );
  const error = layoutFails(checked);
  if (error) throw error;
}
