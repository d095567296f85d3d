import { checkWholeStore, type StoreCheck, storeDamaged } from '../../operations/check-store.ts';
import type { Invocation } from '../command.ts';
import { listNames } from '../list-names.ts';
import type { Session } from '../session.ts';

/** `imprint store check`: names each defect; exit status 5 where there is any. */
export async function run(session: Session, _invocation: Invocation): Promise<void> {
  const context = await session.context();
  const check = await session.task('check the store', (task) => checkWholeStore(context, task));
  session.result(check, () => describe(check, session));
  const error = storeDamaged(check);
  if (error) throw error;
}

function describe(check: StoreCheck, session: Session): string {
  const { paint } = session.stdout;
  const count = `${check.versions} ${check.versions === 1 ? 'version' : 'versions'}`;
  if (check.defects.length === 0) return `${check.store} is whole: ${count}, every byte checked\n`;
  const lines = check.defects.map(({ path, problem, affects }) => {
    const versions = affects.length > 0 ? paint('dim', ` (touches ${listNames(affects)})`) : '';
    return `${paint('red', '✗')} ${path}: ${problem}${versions}\n`;
  });
  return lines.join('');
}
