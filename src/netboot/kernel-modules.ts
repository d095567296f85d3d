import { copyFile, mkdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { ImprintError } from '../foundation/errors.ts';
import type { Processes } from '../system/run.ts';
import type { DebianRoot } from './debian-root.ts';
import { firstStageModules, isWantedModule } from './imager-recipe.ts';

/** `modules.dep`: each module's path below `/lib/modules/VERSION`, with all that must be loaded before it. */
export type ModuleDependencies = ReadonlyMap<string, readonly string[]>;

/** The kernel that a Debian system brings; of several the newest. */
export async function kernelVersion(root: DebianRoot): Promise<string> {
  const names = (await root.list('/boot')).filter((name) => name.startsWith('vmlinuz-'));
  const versions = names.map((name) => name.slice('vmlinuz-'.length));
  const newest = versions.sort((a, b) => a.localeCompare(b, 'en', { numeric: true })).at(-1);
  if (newest === undefined) throw new ImprintError('internal', { problem: 'the packages bring no kernel' });
  return newest;
}

/** Copies the wanted modules, and those that they depend on, and makes their index. */
export async function addKernelModules(
  root: DebianRoot,
  tree: string,
  version: string,
  processes: Processes,
): Promise<ModuleDependencies> {
  const from = `/usr/lib/modules/${version}`;
  const dependencies = parseModuleDependencies(await indexed(root, version, processes));
  const wanted = selectModules(dependencies);
  for (const path of [...wanted, 'modules.builtin', 'modules.builtin.modinfo', 'modules.order']) {
    const found = await root.find(`${from}/${path}`);
    if (!found) continue;
    const target = join(tree, from, path);
    await mkdir(dirname(target), { recursive: true });
    await copyFile(found.host, target);
  }
  await processes.run('depmod', ['-b', tree, version], { timeout: 120_000 });
  return dependencies;
}

/** The modules that the recipe names, with their dependencies, sorted. */
export function selectModules(dependencies: ModuleDependencies): string[] {
  const selected = new Set<string>();
  for (const [path, needs] of dependencies) {
    if (!isWantedModule(path.replace(/^kernel\//, ''))) continue;
    selected.add(path);
    for (const need of needs) selected.add(need);
  }
  return [...selected].sort();
}

/** What the first stage must load, in order: paths below `/lib/modules/VERSION`. */
export function firstStagePaths(dependencies: ModuleDependencies): string[] {
  const paths = new Set<string>();
  for (const name of firstStageModules) {
    for (const [path, needs] of dependencies) {
      if (!new RegExp(`/${name}\\.ko(\\.\\w+)?$`).test(path)) continue;
      // depmod lists what must come first last.
      for (const need of needs.toReversed()) paths.add(need);
      paths.add(path);
    }
  }
  return [...paths];
}

/** Reads `modules.dep`. */
export function parseModuleDependencies(text: string): ModuleDependencies {
  const lines = text.split('\n').filter((line) => line.includes(':'));
  return new Map(
    lines.map((line) => {
      const colon = line.indexOf(':');
      const needs = line.slice(colon + 1).trim();
      return [line.slice(0, colon), needs === '' ? [] : needs.split(/\s+/)];
    }),
  );
}

async function indexed(root: DebianRoot, version: string, processes: Processes): Promise<string> {
  const modules = await root.find(`/usr/lib/modules/${version}`);
  if (!modules)
    throw new ImprintError('internal', { problem: `the packages bring no modules for the kernel ${version}` });
  // depmod looks in BASE/lib/modules: the base is what lies three levels above.
  const base = dirname(dirname(dirname(modules.host)));
  await processes.run('depmod', ['-b', base, version], { timeout: 120_000 });
  return readFile(join(modules.host, 'modules.dep'), 'utf8');
}
