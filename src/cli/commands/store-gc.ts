import type { z } from 'zod';
import { storeCollect } from '../../contract/operations/store.ts';
import { formatBytes } from '../../foundation/bytes.ts';
import { collectStore } from '../../operations/collect-store.ts';
import type { Invocation } from '../command.ts';
import { durationOption } from '../duration-option.ts';
import { parseInput } from '../parse-input.ts';
import type { Session } from '../session.ts';

/** `imprint store gc [--grace SPAN]`. */
export async function run(session: Session, invocation: Invocation): Promise<void> {
  const { dryRun } = session.globals;
  const grace = durationOption(invocation, 'grace');
  const input = parseInput(storeCollect.input, { dryRun, ...(grace === undefined ? {} : { grace }) });
  const context = await session.context();
  const output = await session.task('collect garbage', (task) => collectStore(context, input, task));
  session.result(dryRun ? { dryRun, ...output } : output, () => describe(output, dryRun));
}

function describe(output: z.output<typeof storeCollect.output>, dryRun: boolean): string {
  const lines = [
    `${dryRun ? 'would free' : 'freed'} ${formatBytes(output.bytesFreed)} (${count(output.packsDeleted, 'pack')}, ${count(output.manifestsDeleted, 'manifest')})`,
  ];
  if (output.packsRewritten > 0)
    lines.push(
      `${dryRun ? 'would rewrite' : 'rewrote'} ${count(output.packsRewritten, 'partly used pack')} as ${formatBytes(output.bytesWritten)}`,
    );
  if (output.packsWaiting > 0) {
    const until = output.waitingUntil === undefined ? 'when nobody reads them' : `after ${output.waitingUntil}`;
    lines.push(`${formatBytes(output.bytesWaiting)} more (${count(output.packsWaiting, 'pack')}) can go ${until}`);
  }
  if (output.bytesUnreferenced > 0)
    lines.push(
      `${formatBytes(output.bytesUnreferenced)} are nobody's in packs that are mostly used: not worth rewriting yet`,
    );
  return lines.map((line) => `${line}\n`).join('');
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}
