import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DebianTrees } from '../debian-trees.ts';
import { quoted, type Workshop } from '../workshop.ts';
import { servedUpdate } from './served-update.ts';
import { ports, type Update } from './update.ts';

/**
 * ostree with the old commit here already: object by object, or by a static delta; then the new tree is checked out as hard links, as ostree deploys it. Its two
 * repositories take a quarter of an hour to make, so they are kept beside the trees.
 */
export async function ostreeUpdate(workshop: Workshop, trees: DebianTrees, delta: boolean): Promise<Update> {
  const origin = prepare(workshop, trees);
  const repository = quoted(join(origin, 'repo'));
  const made = join(origin, 'delta-is-made');
  if (delta && !existsSync(made)) {
    const measured = workshop.measure(
      'ostree: making the static delta',
      `ostree static-delta generate --repo=${repository} --from=bench^ --to=bench && ostree summary --repo=${repository} -u`,
    );
    writeFileSync(made, JSON.stringify(measured));
  }
  return servedUpdate(workshop, {
    name: delta ? 'ostree, static delta' : 'ostree',
    served: origin,
    begin: (directory) => {
      const client = quoted(join(directory, 'client'));
      workshop.run(`cp -a ${quoted(join(origin, 'client'))} ${client}`);
      workshop.run(`ostree remote add --repo=${client} --no-gpg-verify origin http://127.0.0.1:${ports.static}/repo`);
    },
    fetch: (directory) => {
      const client = quoted(join(directory, 'client'));
      const how = delta ? '--require-static-deltas' : '--disable-static-deltas';
      const checkout = `ostree checkout --repo=${client} --require-hardlinks origin:bench ${quoted(join(directory, 'target'))}`;
      return `ostree pull --repo=${client} ${how} origin bench && ${checkout}`;
    },
  });
}

/** The server's repository with both commits, and a machine's with the first. */
function prepare(workshop: Workshop, trees: DebianTrees): string {
  return workshop.prepared('ostree-origin', (directory) => {
    const repository = quoted(join(directory, 'repo'));
    const client = quoted(join(directory, 'client'));
    const commit = (tree: string) =>
      `ostree commit --fsync=false --repo=${repository} --branch=bench --tree=dir=${quoted(tree)}`;
    return [
      `ostree init --repo=${repository} --mode=archive && ostree init --repo=${client} --mode=bare`,
      commit(trees.before),
      `ostree pull-local --disable-fsync --repo=${client} ${repository} bench`,
      `${commit(trees.after)} && ostree summary --repo=${repository} -u`,
    ];
  });
}
