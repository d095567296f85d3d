import { dirname, join } from 'node:path';
import { isThere } from '../../store/directory-files.ts';
import type { AgentProgram } from './write-agent.ts';

/**
 * The agent's programs as they lie where this program itself runs: the bundle that it is part of, and its Node. Undefined where it runs from its
 * sources, which are no bundle.
 */
export async function runningAgentProgram(
  bundle: string = import.meta.dirname,
  node: string = process.execPath,
): Promise<AgentProgram | undefined> {
  if (!(await isThere(join(bundle, 'agent.mjs')))) return undefined;
  const boot = await findBoot(bundle);
  return { node, bundle, ...(boot === undefined ? {} : { boot }) };
}

/** `boot/` beside the bundle, or beside the directory that it was built in. */
async function findBoot(bundle: string): Promise<string | undefined> {
  for (const directory of [bundle, dirname(bundle)]) {
    if (await isThere(join(directory, 'boot', 'imager'))) return join(directory, 'boot');
    if (await isThere(join(directory, 'boot', 'addition'))) return join(directory, 'boot');
  }
  return undefined;
}
