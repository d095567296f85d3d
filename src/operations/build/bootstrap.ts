import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Task } from '../../foundation/task.ts';
import type { Recipe } from '../../machine/recipe.ts';
import { findDebianMirror } from '../../system/debian-mirror.ts';
import { rootFiles } from '../../system/root-files.ts';
import { runTied } from '../../system/tied-process.ts';
import type { Context } from '../context.ts';
import type { EditPlace } from '../edit/edit-state.ts';

/**
 * Makes a Debian system in the edit's tree with mmdebstrap, and in it the packages given.
 *
 * @returns when its archive was last changed, in seconds since 1970: the newest date of its Release files; undefined where none has one
 * Errors: `tool-missing`, `process-failed`, `interrupted`.
 */
export async function bootstrap(
  context: Context,
  place: EditPlace,
  recipe: Recipe,
  packages: readonly string[],
  task: Task,
): Promise<number | undefined> {
  const { suite = '', variant = 'minbase', architecture, sources } = recipe.base;
  const mirror = await findDebianMirror(suite, { processes: context.processes });
  const releases = join(place.directory, 'releases');
  const args = [
    ...['--mode=root', '--format=directory', `--variant=${variant}`],
    ...(packages.length === 0 ? [] : [`--include=${packages.join(',')}`]),
    ...(architecture === undefined ? [] : [`--architectures=${architecture}`]),
    `--aptopt=APT::Install-Recommends "${recipe.recommends}"`,
    ...mirror.aptOptions,
    // The lists are removed at the end; when they were made is asked before.
    '--customize-hook=cat "$1"/var/lib/apt/lists/*Release > "$IMPRINT_RELEASES" || :',
    ...[suite, place.root],
    ...(sources.length > 0 ? sources : mirror.sources),
  ];
  await runTied(context.processes, 'mmdebstrap', args, {
    streams: ['ignore', 'pipe', 'pipe'],
    onLine: (line) => task.log(line),
    env: {
      IMPRINT_RELEASES: releases,
      ...(recipe.epoch === undefined ? {} : { SOURCE_DATE_EPOCH: String(recipe.epoch) }),
    },
    signal: task.signal,
  });
  await forgetThisMachine(place.root, recipe);
  const text = await readFile(releases, 'latin1').catch(() => '');
  await rm(releases, { force: true });
  return newestDate(text);
}

/** How this machine fetches packages, its name and its name servers are none of the image's business. */
async function forgetThisMachine(root: string, recipe: Recipe): Promise<void> {
  const files = rootFiles(root);
  await files.remove('etc/apt/apt.conf.d/99mmdebstrap');
  await files.remove('etc/resolv.conf');
  await files.write('etc/hostname', `${recipe.name}\n`);
}

function newestDate(releases: string): number | undefined {
  const dates = [...releases.matchAll(/^Date: (.+)$/gm)].map((match) => Date.parse(match[1] ?? '') / 1000);
  const known = dates.filter((date) => Number.isSafeInteger(date));
  return known.length === 0 ? undefined : Math.max(...known);
}
