import { join } from 'node:path';
import type { DebianTrees } from '../debian-trees.ts';
import { quoted, type Workshop } from '../workshop.ts';
import { servedUpdate } from './served-update.ts';
import type { Update } from './update.ts';

/** casync with the old tree as its seed; it always writes a whole tree. */
export async function casyncUpdate(workshop: Workshop, trees: DebianTrees): Promise<Update> {
  const served = workshop.empty('casync-served');
  const store = quoted(join(served, 'repo.castr'));
  const index = quoted(join(served, 'v2.caidx'));
  workshop.run(`casync make --compression=zstd --store=${store} ${index} ${quoted(trees.after)}`);
  const update = await servedUpdate(workshop, {
    ...{ name: 'casync with seed', served, begin: () => {} },
    fetch: (directory, url) =>
      `casync extract --seed=${quoted(trees.before)} --store=${url}/repo.castr ${url}/v2.caidx ${quoted(join(directory, 'target'))}`,
  });
  workshop.remove('casync-served');
  return update;
}
