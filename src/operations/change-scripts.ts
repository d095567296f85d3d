import type { z } from 'zod';
import type { ScriptsQuestion, SignedAnswer } from '../contract/imager-protocol.ts';
import type { scriptAdd, scriptList, scriptRemove, scriptShow } from '../contract/operations/scripts.ts';
import { type ScriptAudience, scriptPhases } from '../contract/scripts.ts';
import { ImprintError } from '../foundation/errors.ts';
import { parseReference } from '../image/reference.ts';
import type { MachineRecord } from '../machine/machine-state.ts';
import { chooseScripts, type ScriptReader } from '../machine/scripts.ts';
import type { Context } from './context.ts';
import { findMachine } from './find-machines.ts';
import { signAnswer } from './long-poll.ts';
import { findScripts, readScript, removeScript, scriptsFor, writeScript } from './server-scripts.ts';

/** Whom a machine is taken for where scripts are chosen. `reference` is what it is installed with. */
export function scriptReader(machine: MachineRecord, reference: string | undefined): ScriptReader {
  const image = reference === undefined ? '' : parseReference(reference).image;
  return { name: machine.name, image: image ?? '', groups: machine.groups ?? [] };
}

/** What a machine that installs itself by a `local.cfg` is to run, signed. Errors: `script-invalid`. */
export async function answerScripts(
  context: Context,
  { nonce, name, image, groups }: ScriptsQuestion,
): Promise<SignedAnswer> {
  const known = groups.length > 0 ? undefined : await (await context.database()).machines.byName(name.toLowerCase());
  const scripts = await scriptsFor(context.paths, { name, image, groups: known?.groups ?? groups });
  return signAnswer(context, { nonce, time: context.clock.now(), scripts });
}

/** All scripts, or those that a machine would get. */
export async function listScripts(
  context: Context,
  { machine: wanted }: z.output<typeof scriptList.input>,
): Promise<z.input<typeof scriptList.output>> {
  const { scripts, passedOver } = await findScripts(context.paths);
  const listed = scripts.map(({ path: _path, ...each }) => each);
  if (wanted === undefined) return { scripts: listed, passedOver };
  const machine = await findMachine((await context.database()).machines, wanted);
  const reader = scriptReader(machine, machine.order?.image ?? machine.image ?? machine.installed?.image);
  return { scripts: scriptPhases.flatMap((phase) => chooseScripts(listed, phase, reader)), passedOver };
}

export async function showScript(
  { paths }: Context,
  { phase, name, audience }: z.output<typeof scriptShow.input>,
): Promise<z.input<typeof scriptShow.output>> {
  const cut = audience.indexOf(':');
  const kind = audience.slice(0, cut) as 'image' | 'group' | 'machine';
  const whom: ScriptAudience = cut < 0 ? { kind: 'all' } : { kind, name: audience.slice(cut + 1) };
  return readScript(paths, { phase, name, for: whom });
}

/** A machine is one that there is: a name that is mistyped would never run. */
export async function addScript(
  context: Context,
  script: z.output<typeof scriptAdd.input>,
): Promise<z.input<typeof scriptAdd.output>> {
  const { phase, name, for: audience } = script;
  const known =
    audience.kind === 'machine' ? await findMachine((await context.database()).machines, audience.name) : undefined;
  const whom = known === undefined ? audience : { kind: 'machine' as const, name: known.name };
  if (audience.kind === 'group' && !(await isGroup(context, audience.name))) {
    const problem = `no machine is in the group ${audience.name}`;
    throw new ImprintError('input-invalid', { field: 'group', problem });
  }
  const replaced = await writeScript(context.paths, { ...script, for: whom });
  return { phase, name, for: whom, replaced };
}

export async function forgetScript(
  { paths }: Context,
  script: z.output<typeof scriptRemove.input>,
): Promise<z.input<typeof scriptRemove.output>> {
  await removeScript(paths, script);
  return script;
}

async function isGroup(context: Context, name: string): Promise<boolean> {
  const machines = await (await context.database()).machines.all();
  return machines.some(({ groups = [] }) => groups.includes(name));
}
