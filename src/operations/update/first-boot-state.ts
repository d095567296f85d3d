import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type FirstBootState, firstBootScriptPaths, readFirstBootState } from '../../machine/first-boot-scripts.ts';
import { ifThere } from '../../store/directory-files.ts';

/** How the scripts of the first boot are; undefined: there were none, or all of them ended well. */
export async function readFirstBoot(root: string): Promise<FirstBootState | undefined> {
  const { runner, running, failed, finished } = firstBootScriptPaths;
  const read = (path: string) => ifThere(readFile(join(root, path), 'utf8'));
  const there = async (path: string) => (await ifThere(stat(join(root, path)))) !== undefined;
  if (!(await there(runner)) || (await there(finished))) return undefined;
  return readFirstBootState(await read(running), await read(failed));
}
