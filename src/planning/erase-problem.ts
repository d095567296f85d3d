import type { InstallOptions } from '../contract/machine.ts';
import { formatBytes } from '../foundation/bytes.ts';
import { ImprintError } from '../foundation/errors.ts';
import { parseErase } from '../machine/layout-terms.ts';
import type { Loss } from './layout-solution.ts';

/**
 * What a built-in layout would erase though nobody said so: it takes the whole disk, but a machine's earlier Linux is one thing, and Windows, a vendor's
 * recovery, an array, encrypted data and what nobody knows are others. Of a layout of one's own the solver sees to that. Error: `disk-erase-unsaid`.
 */
export function eraseProblem(
  { name, options }: { name: string; options: Pick<InstallOptions, 'layout' | 'erase'> },
  lost: readonly Loss[],
): ImprintError | undefined {
  if (options.layout === 'own') return undefined;
  const said = options.erase?.split(',') ?? [];
  const order = parseErase(['linux', 'esp', ...said]);
  const unsaid = order.all ? [] : lost.filter(({ kind }) => !order.kinds.has(kind));
  const [first] = unsaid;
  if (first === undefined) return undefined;
  return new ImprintError('disk-erase-unsaid', {
    disk: first.disk,
    machine: name,
    content: unsaid.map(({ path, what, bytes }) => `${path} (${what}, ${formatBytes(bytes)})`).join(', '),
    kinds: [...new Set([...said, ...unsaid.map(({ kind }) => kind)])].join(','),
  });
}
