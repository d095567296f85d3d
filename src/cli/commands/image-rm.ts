import { imageRemove } from '../../contract/operations/images.ts';
import { formatBytes } from '../../foundation/bytes.ts';
import { Task } from '../../foundation/task.ts';
import { removeVersions } from '../../operations/remove-versions.ts';
import type { Invocation } from '../command.ts';
import { parseInput } from '../parse-input.ts';
import type { Session } from '../session.ts';

/** `imprint image rm [--force] REF…`: looks first, asks, then removes. */
export async function run(session: Session, invocation: Invocation): Promise<void> {
  const input = parseInput(imageRemove.input, {
    references: [...invocation.argumentList(0)],
    force: invocation.flag('force'),
    dryRun: true,
  });
  const context = await session.context();
  const plan = await removeVersions(context, input, Task.silent(session.signal));
  const names = plan.removed.join(', ');
  if (session.globals.dryRun) {
    session.result({ dryRun: true, ...plan }, () => `would remove ${names}\n`);
    return;
  }
  await session.confirm(`Removing ${names}`, `Remove ${names} for good?`);
  const output = await session.task(`remove ${names}`, (task) =>
    removeVersions(context, { ...input, dryRun: false }, task),
  );
  const later = output.bytesWaiting + output.bytesUnreferenced;
  const more = later > 0 ? `, imprint store gc frees up to ${formatBytes(later)} more` : '';
  session.result(
    output,
    () => `removed ${output.removed.join(', ')}; ${formatBytes(output.bytesFreed)} are free again${more}\n`,
  );
}
