import { machineSet } from '../../contract/operations/machines.ts';
import { ImprintError } from '../../foundation/errors.ts';
import type { Invocation } from '../command.ts';
import { readInstallOptions } from '../install-options.ts';
import { parseInput } from '../parse-input.ts';
import { callServer } from '../server-call.ts';
import type { Session } from '../session.ts';
import { machineTable } from './machines.ts';

/** `imprint machine set MACHINE…`. */
export async function run(session: Session, invocation: Invocation): Promise<void> {
  const macs = invocation.list('mac');
  const address = invocation.text('address');
  const image = invocation.text('image');
  const groups = invocation.list('group');
  const options = readInstallOptions(invocation);
  const rules = { ...rulesOf(invocation, 'keep'), ...rulesOf(invocation, 'carry'), ...readObject(invocation) };
  const input = parseInput(machineSet.input, {
    machines: invocation.argumentList(0).join(','),
    ...(macs.length > 0 ? { macs } : {}),
    ...(address === undefined ? {} : { address: address || null }),
    ...(image === undefined ? {} : { image: image || null }),
    ...(groups.length > 0 ? { groups: groups.every((name) => name === '') ? null : groups.filter(Boolean) } : {}),
    ...(Object.keys(options).length > 0 ? { options } : {}),
    ...(Object.keys(rules).length > 0 ? { rules } : {}),
  });
  if (Object.keys(input).length === 1) {
    throw new ImprintError('usage', {
      problem: 'Nothing is said to be changed.',
      hint: 'See what can be: imprint machine set --help',
    });
  }
  if (session.globals.dryRun) {
    session.result({ dryRun: true, ...input }, () => `would change ${input.machines}\n`);
    return;
  }
  const output = await callServer(session, machineSet, input);
  session.result(output, () => machineTable(session, output.machines));
}

/** An empty value takes the list away. */
function rulesOf(invocation: Invocation, name: 'keep' | 'carry'): { [Name in 'keep' | 'carry']?: string[] | null } {
  const globs = invocation.list(name);
  if (globs.length === 0) return {};
  const said = globs.filter((glob) => glob !== '');
  return { [name]: said.length === 0 ? null : said };
}

function readObject(invocation: Invocation): { object?: 'server' | null } {
  const where = invocation.text('object');
  if (where === undefined) return {};
  if (where === 'server' || where === '') return { object: where || null };
  throw new ImprintError('input-invalid', { field: '--object', problem: `“${where}” is not server` });
}
