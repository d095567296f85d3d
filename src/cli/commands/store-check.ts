import { storeCheck } from '../../contract/operations/store.ts';
import { ImprintError } from '../../foundation/errors.ts';
import { checkWholeStore, type StoreCheck, storeDamaged } from '../../operations/check-store.ts';
import type { Invocation } from '../command.ts';
import { listNames } from '../list-names.ts';
import { parseInput } from '../parse-input.ts';
import type { Session } from '../session.ts';

/** `imprint store check [--repair [--from PLACE]…]`: names each defect; exit status 5 where any is left. */
export async function run(session: Session, invocation: Invocation): Promise<void> {
  const input = parseInput(storeCheck.input, { repair: invocation.flag('repair'), from: invocation.list('from') });
  if (input.from.length > 0 && !input.repair)
    throw new ImprintError('usage', {
      problem: '--from is for --repair.',
      hint: 'Add --repair, or leave --from away.',
    });
  const context = await session.context();
  const check = await session.task(input.repair ? 'repair the store' : 'check the store', async (task) => {
    if (!input.repair || session.globals.dryRun) return checkWholeStore(context, task);
    const { repairWholeStore } = await import('../../operations/repair-store.ts');
    return repairWholeStore(context, input.from, task);
  });
  session.result(check, () => describe(check, session));
  const error = storeDamaged(check);
  if (error) throw error;
}

function describe(check: StoreCheck, session: Session): string {
  const { paint } = session.stdout;
  const repaired = (check.repaired ?? []).map(({ path, how }) => `${paint('green', '✓')} ${path}: ${how}\n`);
  const count = `${check.versions} ${check.versions === 1 ? 'version' : 'versions'}`;
  const whole = `${check.store} is whole: ${count}, every byte checked\n`;
  const lines = check.defects.map(({ path, problem, affects }) => {
    const versions = affects.length > 0 ? paint('dim', ` (touches ${listNames(affects)})`) : '';
    return `${paint('red', '✗')} ${path}: ${problem}${versions}\n`;
  });
  return [...repaired, ...(lines.length > 0 ? lines : [whole])].join('');
}
