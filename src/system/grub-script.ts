import { ImprintError, toImprintError } from '../foundation/errors.ts';
import type { Processes } from './run.ts';

/**
 * Has GRUB's own parser read a script before it is written anywhere; where the tool is missing, nothing is checked. Errors: `internal` where it is none
 * that GRUB reads.
 */
export async function checkGrubScript(processes: Processes, script: string): Promise<void> {
  try {
    await processes.run('grub-script-check', [], { timeout: 30_000, input: script });
  } catch (thrown) {
    const { code, message } = toImprintError(thrown);
    if (code === 'tool-missing') return;
    if (code !== 'process-failed') throw thrown;
    throw new ImprintError('internal', { problem: `GRUB cannot read the menu: ${message}` }, { cause: thrown });
  }
}
