import { imageCat } from '../../contract/operations/images.ts';
import { ImprintError } from '../../foundation/errors.ts';
import { Task } from '../../foundation/task.ts';
import { catFile } from '../../operations/cat-file.ts';
import type { Invocation } from '../command.ts';
import { parseInput } from '../parse-input.ts';
import type { Session } from '../session.ts';

/** `imprint image cat REF PATH`: the file's bytes, nothing else. */
export async function run(session: Session, invocation: Invocation): Promise<void> {
  if (session.globals.json) {
    throw new ImprintError('usage', {
      problem: 'image cat writes the file as it is; there is no JSON of it.',
      hint: `For its attributes: imprint image ls -d --json ${invocation.argument(0)} ${invocation.argument(1)}`,
    });
  }
  const input = parseInput(imageCat.input, { reference: invocation.argument(0), path: invocation.argument(1) });
  for await (const piece of catFile(await session.context(), input, Task.silent(session.signal))) await write(piece);
}

/** Waits where the reader is slow: a file may be larger than memory. */
function write(piece: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(piece, (error) => (error ? reject(error) : resolve()));
  });
}
