import { join } from 'node:path';
import type { DebianTrees } from '../debian-trees.ts';
import { quoted, type Workshop } from '../workshop.ts';
import { servedUpdate } from './served-update.ts';
import type { Update } from './update.ts';

/** casync with the old tree as its seed; it always writes a whole tree. Its store is kept beside the trees. */
export async function casyncUpdate(workshop: Workshop, trees: DebianTrees): Promise<Update> {
  const served = workshop.prepared('casync-origin', (directory) => {
    const place = (name: string) => quoted(join(directory, name));
    return [
      `casync make --compression=zstd --store=${place('repo.castr')} ${place('v2.caidx')} ${quoted(trees.after)}`,
    ];
  });
  return await servedUpdate(workshop, {
    ...{ name: 'casync with seed', served, begin: () => {} },
    fetch: (directory, url) =>
      `casync extract --seed=${quoted(trees.before)} --store=${url}/repo.castr ${url}/v2.caidx ${quoted(join(directory, 'target'))}`,
  });
}
