import { chmod, copyFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import type { ScriptPhase } from '../../contract/scripts.ts';
import { ImprintError } from '../../foundation/errors.ts';
import type { Task } from '../../foundation/task.ts';
import { scriptPatience } from '../../machine/first-boot-scripts.ts';
import { fromVersion, imageScriptsPath, type PlannedScript, renderVariables } from '../../machine/scripts.ts';
import type { StepOf } from '../../planning/step.ts';
import { rootFiles } from '../../system/root-files.ts';
import { runScript } from '../../system/script-run.ts';
import type { InstallContext } from './install-context.ts';

/** Lines of a script that go to the log as they come; of more than that only the last. */
const lineLimit = 2000;
const lineLength = 500;
/** Of what an error tells. */
const lastLines = 20;
const lastBytes = 2000;

/**
 * Runs the scripts of a phase, one after the other; each line that they say goes to the log. Before the first write they run here, in the imager; else in a chroot of the new system, with
 * `variables.txt` beside them. Errors: `script-failed`, `process-failed`, `disk-full`, `io-failed`.
 */
export async function runScripts(step: StepOf<'run-scripts'>, context: InstallContext, task: Task): Promise<void> {
  const { phase, machine, scripts, variables } = step;
  const inTree = phase === 'post-install';
  const root = inTree ? context.target : '';
  // Where SystemImager has them, so that its scripts find their variables.
  const place = inTree ? `/tmp/${phase}` : `${context.target}-scripts`;
  const directory = inTree ? await rootFiles(root).resolve(place) : place;
  await rm(directory, { recursive: true, force: true });
  await mkdir(directory, { recursive: true, mode: 0o700 });
  try {
    const env = { ...variables, IMPRINT_PHASE: phase };
    await writeFile(join(directory, 'variables.txt'), renderVariables(env));
    if (inTree) for (const point of ['proc', 'sys', 'dev', 'run']) await rootFiles(root).makeDirectory(point);
    const resolvConf = inTree ? await findResolvConf(root) : undefined;
    task.expect(scripts.length, 'steps');
    for (const script of scripts) {
      await writeScriptFile(context, phase, script, join(directory, script.name));
      await task.part(`${script.name} (${script.from})`, async (part) => {
        const tail: string[] = [];
        let lines = 0;
        const end = await runScript(context.processes, {
          script: `${place}/${script.name}`,
          ...(inTree && { root }),
          ...(resolvConf !== undefined && { resolvConf }),
          env,
          limit: (context.scriptLimit ?? scriptPatience) * 1000,
          signal: part.signal,
          onLine: (line) => {
            const said = line.slice(0, lineLength);
            lines += 1;
            tail.push(said);
            if (tail.length > lastLines) tail.shift();
            if (lines <= lineLimit) part.log(said);
            if (lines === lineLimit) part.warn(`${script.name} says a lot: no more of it is kept, but how it ends`);
          },
        });
        if (lines > lineLimit) for (const line of tail) part.log(line);
        if (end.kind === 'ended' && end.status === 0) return;
        throw new ImprintError('script-failed', {
          ...{ phase, script: script.name, audience: script.from, machine },
          status:
            end.kind === 'ended' ? `status ${end.status}` : `no end after ${context.scriptLimit ?? scriptPatience} s`,
          log: tail.join('\n').slice(-lastBytes).trim() || '(it said nothing)',
          task: task.id,
        });
      });
      task.advance(1);
    }
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** Writes a script to where it is run from: of the order, or of the version in the target. */
export async function writeScriptFile(
  { target, scripts = [] }: Pick<InstallContext, 'target' | 'scripts'>,
  phase: ScriptPhase,
  { name, from }: PlannedScript,
  path: string,
): Promise<void> {
  if (from === fromVersion) {
    const source = await rootFiles(target).resolve(`${imageScriptsPath}/${phase}/${name}`);
    await copyFile(source, path);
  } else {
    const script = scripts.find((each) => each.phase === phase && each.name === name);
    if (script === undefined) throw new RangeError(`the script ${name} was planned, and is not there`);
    await writeFile(path, script.text);
  }
  await chmod(path, 0o700);
}

/** Relative to the root; undefined where there is none to mount on. */
async function findResolvConf(root: string): Promise<string | undefined> {
  const path = relative(root, await rootFiles(root).resolve('etc/resolv.conf'));
  if (path.startsWith('run/')) return path;
  return (await readFile(join(root, path)).catch(() => undefined)) === undefined ? undefined : path;
}
