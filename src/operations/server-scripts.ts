import { mkdir, readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { imageNameSchema } from '../contract/image.ts';
import { machineNameSchema } from '../contract/machine.ts';
import type { ListedScript } from '../contract/operations/scripts.ts';
import {
  groupNameSchema,
  type Script,
  type ScriptAudience,
  type ScriptPhase,
  scriptLimit,
  scriptNameSchema,
  scriptPhases,
  scriptsLimit,
} from '../contract/scripts.ts';
import { ImprintError } from '../foundation/errors.ts';
import { byName, chooseScripts, describeAudience, type ScriptReader, scriptProblem } from '../machine/scripts.ts';
import { ifThere } from '../store/directory-files.ts';
import { writeFileDurably } from '../store/durable.ts';
import type { DataPaths } from './data-paths.ts';

/** By what a script is known. */
type NamedScript = Pick<Script, 'phase' | 'name' | 'for'>;

/** What lies in the directory: scripts, and files that are none by their names or places. */
export interface FoundScripts {
  scripts: (Omit<Script, 'text'> & Pick<ListedScript, 'bytes' | 'changed'> & { path: string })[];
  passedOver: string[];
}

const audienceNames = { image: imageNameSchema, group: groupNameSchema, machine: machineNameSchema } as const;

/** Looks what scripts there are; none of them is read. By phase, then in the order in which they would run, the widest first. */
export async function findScripts({ scripts: base }: Pick<DataPaths, 'scripts'>): Promise<FoundScripts> {
  const found: FoundScripts = { scripts: [], passedOver: [] };
  for (const phase of await namesIn(base)) {
    const known = scriptPhases.find((each) => each === phase);
    if (known === undefined) found.passedOver.push(phase);
    else await findInPhase(base, known, found);
  }
  const order = (phase: ScriptPhase) => scriptPhases.indexOf(phase);
  found.scripts.sort((left, right) => order(left.phase) - order(right.phase) || byName(left, right));
  return found;
}

async function findInPhase(base: string, phase: ScriptPhase, found: FoundScripts): Promise<void> {
  for (const kind of await namesIn(join(base, phase))) {
    if (kind === 'all') {
      await findInDirectory(base, `${phase}/all`, { phase, for: { kind } }, found);
    } else if (kind === 'image' || kind === 'group' || kind === 'machine') {
      for (const name of await namesIn(join(base, phase, kind))) {
        const path = `${phase}/${kind}/${name}`;
        if (!audienceNames[kind].safeParse(name).success) found.passedOver.push(path);
        else await findInDirectory(base, path, { phase, for: { kind, name } }, found);
      }
    } else found.passedOver.push(`${phase}/${kind}`);
  }
}

async function findInDirectory(
  base: string,
  directory: string,
  of: { phase: ScriptPhase; for: ScriptAudience },
  found: FoundScripts,
): Promise<void> {
  for (const name of await namesIn(join(base, directory))) {
    const path = `${directory}/${name}`;
    const status = await ifThere(stat(join(base, path)));
    if (status === undefined) continue;
    if (!status.isFile() || !scriptNameSchema.safeParse(name).success) found.passedOver.push(path);
    else found.scripts.push({ ...of, name, bytes: status.size, changed: Math.round(status.mtimeMs), path });
  }
}

/**
 * The scripts that a machine gets, in the order in which they run, phase after phase; empty ones that take one of the version's away among them. Errors:
 * `script-invalid`.
 */
export async function scriptsFor(paths: DataPaths, reader: ScriptReader): Promise<Script[]> {
  const { scripts } = await findScripts(paths);
  const chosen = scriptPhases.flatMap((phase) => chooseScripts(scripts, phase, reader));
  return readScripts(paths, chosen);
}

/** Those that any machine with one of these images could get: for a medium. Errors: `script-invalid`. */
export async function scriptsForImages(paths: DataPaths, images: readonly string[]): Promise<Script[]> {
  const { scripts } = await findScripts(paths);
  return readScripts(
    paths,
    scripts.filter((each) => each.for.kind !== 'image' || images.includes(each.for.name)),
  );
}

async function readScripts({ scripts: base }: DataPaths, found: FoundScripts['scripts']): Promise<Script[]> {
  const read: Script[] = [];
  let bytes = 0;
  for (const { phase, name, for: audience, path } of found) {
    const invalid = (problem: string) => new ImprintError('script-invalid', { script: join(base, path), problem });
    const content = await readFile(join(base, path));
    bytes += content.length;
    if (content.length > scriptLimit) throw invalid(`it is larger than ${scriptLimit >> 10} KiB`);
    if (bytes > scriptsLimit) throw invalid(`with it they are larger than ${scriptsLimit >> 20} MiB together`);
    const text = content.toString('utf8');
    const problem = scriptProblem(text);
    if (problem !== undefined) throw invalid(problem);
    read.push({ phase, name, for: audience, text });
  }
  return read;
}

/** One script, whatever is in it. Errors: `script-not-found`. */
export async function readScript({ scripts: base }: DataPaths, script: NamedScript): Promise<Script> {
  const path = pathOf(base, script);
  const text = path === undefined ? undefined : await ifThere(readFile(path, 'utf8'));
  if (text === undefined) throw notFound(script);
  return { phase: script.phase, name: script.name, for: script.for, text };
}

/** Keeps a script. Answers whether it took the place of one. Errors: `script-invalid`, `input-invalid`, `disk-full`, `io-failed`. */
export async function writeScript({ scripts: base }: DataPaths, script: Script): Promise<boolean> {
  const problem = scriptProblem(script.text);
  if (problem !== undefined) throw new ImprintError('script-invalid', { script: script.name, problem });
  const path = pathOf(base, script);
  if (path === undefined) {
    const { for: audience } = script;
    const what = `${describeAudience(audience)} names nothing that there could be`;
    throw new ImprintError('input-invalid', { field: audience.kind, problem: what });
  }
  const there = (await ifThere(stat(path))) !== undefined;
  await mkdir(base, { recursive: true, mode: 0o700 });
  await writeFileDurably(path, script.text, base);
  return there;
}

/** Errors: `script-not-found`. */
export async function removeScript({ scripts: base }: DataPaths, script: NamedScript): Promise<void> {
  const path = pathOf(base, script);
  if (path === undefined || (await ifThere(stat(path))) === undefined) throw notFound(script);
  await rm(path);
}

function notFound({ phase, name, for: audience }: NamedScript) {
  return new ImprintError('script-not-found', { phase, script: name, audience: describeAudience(audience) });
}

/** Undefined: names that cannot be. No name leads out of the directory. */
function pathOf(base: string, { phase, name, for: audience }: NamedScript): string | undefined {
  if (!scriptNameSchema.safeParse(name).success) return undefined;
  if (audience.kind === 'all') return join(base, phase, 'all', name);
  if (!audienceNames[audience.kind].safeParse(audience.name).success) return undefined;
  return join(base, phase, audience.kind, audience.name, name);
}

async function namesIn(directory: string): Promise<string[]> {
  const names = (await ifThere(readdir(directory).catch(unlessFile))) ?? [];
  // Of editors, and of writes that a power cut ended.
  return names.filter((name) => !name.startsWith('.') && !name.endsWith('.tmp')).sort();
}

function unlessFile(error: NodeJS.ErrnoException): string[] {
  if (error.code === 'ENOTDIR') return [];
  throw error;
}
