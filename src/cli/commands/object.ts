import { resolve } from 'node:path';
import { formatBytes } from '../../foundation/bytes.ts';
import { saveObject } from '../../operations/update/save-object.ts';
import type { Invocation } from '../command.ts';
import type { Session } from '../session.ts';
import { thisMachine } from '../this-machine.ts';

/** `imprint object FILE`. */
export async function run(session: Session, invocation: Invocation): Promise<void> {
  const file = resolve(invocation.argument(0));
  const machine = await thisMachine(session, 'Keeping what makes this machine itself');
  if (session.globals.dryRun) {
    session.result({ dryRun: true, file }, () => `would write ${file}\n`);
    return;
  }
  const saved = await saveObject(machine, file);
  session.result(
    saved,
    () => `object ${saved.number} (${saved.entries} entries, ${formatBytes(saved.bytes)}) is in ${file}\n`,
  );
}
