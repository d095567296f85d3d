import { type KeyAddOutput, keyAddInputSchema } from '../../contract/operations/keys.ts';
import { formatBytes } from '../../foundation/bytes.ts';
import { addIsos } from '../../operations/keys/add-isos.ts';
import type { Invocation } from '../command.ts';
import { parseInput } from '../parse-input.ts';
import type { Session } from '../session.ts';
import { freeWords } from './key-words.ts';

/** `imprint key add KEY ISO…`. */
export async function run(session: Session, invocation: Invocation): Promise<void> {
  const input = parseInput(keyAddInputSchema, {
    key: invocation.argument(0),
    isos: [...invocation.argumentList(1)],
    trustedKeys: invocation.list('key'),
    force: invocation.flag('force'),
  });
  if (session.globals.dryRun) {
    session.result({ dryRun: true, ...input }, () => `would put ${input.isos.join(', ')} onto ${input.key}\n`);
    return;
  }
  const context = await session.context();
  const output = await session.task(`put ISO files onto ${input.key}`, (task) => addIsos(context, input, task));
  session.result(output, () => describe(output));
}

function describe({ key, added, free }: KeyAddOutput): string {
  const lines = added.map(({ name, size, familyName, proof, refusal, secureBoot }) => {
    const verified =
      proof?.signature !== undefined
        ? `signed (${proof.signature})`
        : proof?.checksum !== undefined
          ? `checksum right (${proof.checksum})`
          : 'not verified: no checksum beside it';
    const insecure =
      secureBoot === false
        ? ['It starts only where Secure Boot is off: its kernel is not signed by whom this key was made with.']
        : [];
    const remarks = [...(refusal === undefined ? [] : [refusal]), ...insecure].map((remark) => `  ${remark}\n`);
    return `${name}: ${formatBytes(size)}, ${familyName ?? 'unknown'}, ${verified}\n${remarks.join('')}`;
  });
  return `${lines.join('')}${key}: ${freeWords(free)}\n`;
}
