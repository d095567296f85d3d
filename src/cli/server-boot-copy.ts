import { readFile, stat, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { bootCopyLimit } from '../contract/boot-copy.ts';
import { bootCopyFetch, bootCopyKeep, type KeptBootCopy } from '../contract/operations/boot-copies.ts';
import { formatBytes } from '../foundation/bytes.ts';
import { ImprintError, toImprintError } from '../foundation/errors.ts';
import type { Invocation } from './command.ts';
import { callServer } from './server-call.ts';
import type { Session } from './session.ts';

/** Has the server keep a safety copy. Errors: `machine-not-found`, `boot-copy-invalid`, `server-unreachable`, `target-exists`. */
export async function sendBootCopy(session: Session, machine: string, file: string): Promise<KeptBootCopy> {
  const { size } = await stat(file);
  if (size > bootCopyLimit) {
    const problem = `the server takes copies of up to ${formatBytes(bootCopyLimit)}, and ${file} has ${formatBytes(size)}`;
    throw new ImprintError('input-invalid', { field: '--machine', problem });
  }
  const content = (await readFile(file)).toString('base64');
  return (await callServer(session, bootCopyKeep, { machine, content })).copy;
}

/**
 * The safety copy that a command is given: a file, or with `--machine` the one that the server keeps, which is fetched into the present directory.
 * Errors: `usage`, `boot-copy-missing`, `server-unreachable`, `disk-full`, `read-only`.
 */
export async function givenBootCopy(session: Session, invocation: Invocation): Promise<string | undefined> {
  const [file, machine, number] = [invocation.optionalArgument(0), invocation.text('machine'), invocation.text('copy')];
  if (machine === undefined) return file;
  if (file !== undefined) {
    const hint = 'Leave FILE away to use the server’s copy, or --machine to use the file.';
    throw new ImprintError('usage', { problem: 'A file and --machine name two different copies.', hint });
  }
  const {
    copy,
    content,
    machine: name,
  } = await callServer(session, bootCopyFetch, {
    machine,
    ...(number === undefined ? {} : { number: Number(number) }),
  });
  const target = resolve(`${name}-${copy.number}.boot.tar.gz`);
  try {
    await writeFile(target, Buffer.from(content, 'base64'), { mode: 0o600 });
  } catch (thrown) {
    throw toImprintError(thrown);
  }
  session.say(`copy ${copy.number} of ${name}, made ${copy.created}, is in ${target}`);
  return target;
}
