import { mkdir, rm, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import {
  firstBootScriptPaths,
  renderFirstBootRunner,
  renderFirstBootScriptsUnit,
} from '../../machine/first-boot-scripts.ts';
import { renderVariables } from '../../machine/scripts.ts';
import type { StepOf } from '../../planning/step.ts';
import { rootFiles } from '../../system/root-files.ts';
import type { InstallContext } from './install-context.ts';
import { writeScriptFile } from './run-scripts.ts';

/** Puts scripts, and the unit that runs them at the first boot, into the new system. Errors: `disk-full`, `io-failed`. */
export async function writeFirstBootScripts(
  { scripts, variables }: StepOf<'write-first-boot-scripts'>,
  context: InstallContext,
): Promise<void> {
  const files = rootFiles(context.target);
  const { directory, scripts: place, runner, unit, wanted } = firstBootScriptPaths;
  await files.makeDirectory(dirname(directory));
  await rm(await files.resolve(directory), { recursive: true, force: true });
  await mkdir(await files.resolve(directory), { mode: 0o700 });
  await files.makeDirectory(place);
  for (const script of scripts) {
    await writeScriptFile(context, 'first-boot', script, join(await files.resolve(place), script.name));
  }
  await files.write(firstBootScriptPaths.variables, renderVariables(variables), 0o600);
  await files.write(runner, renderFirstBootRunner(), 0o700);
  await files.write(unit, renderFirstBootScriptsUnit());
  await files.remove(wanted);
  await files.makeDirectory(dirname(wanted));
  await symlink(`/${unit}`, await files.resolve(wanted));
}
