import { join } from 'node:path';
import { ImprintError } from '../../foundation/errors.ts';
import type { Task } from '../../foundation/task.ts';
import { agentFiles } from '../../machine/agent-files.ts';
import { objectPaths } from '../../machine/carried-state.ts';
import type { StepOf } from '../../planning/step.ts';
import { rootFiles } from '../../system/root-files.ts';
import { unpackObject } from '../update/object-file.ts';
import { layObject } from '../update/object-state.ts';
import { hostDirectory, type InstallContext } from './install-context.ts';

/** Of this install, not of the machine that was: whom it is to trust, and what the server says now. */
const ofThisInstall = [agentFiles.serverKey, agentFiles.trust, agentFiles.serverRules];

/**
 * Makes the installed system the machine that it was, by the object that the server kept: names, keys, network, settings, carried state. Warns of
 * network settings that name a card which is not in this machine. Errors: `object-unfit`, `disk-full`, `io-failed`.
 */
export async function bringBackObject(
  { layout, macs, server, number }: StepOf<'lay-object'>,
  context: InstallContext,
  task: Task,
): Promise<void> {
  const { target } = context;
  const file = await context.object?.();
  if (file === undefined) {
    const hint = 'Install again, or without it: imprint machine object MACHINE --forget';
    throw new ImprintError('object-unfit', { problem: `object ${number} was not fetched`, hint });
  }
  const stateDirectory =
    layout.host === undefined ? join(target, objectPaths.inRoot) : join(hostDirectory(context), objectPaths.onHost);
  const leave = (path: string) => ofThisInstall.some((own) => path === own || path.startsWith(`${own}/`));
  const object = await unpackObject(file, stateDirectory, leave);
  await layObject(object, target, layout.host?.uuid ?? layout.boot);
  if (server !== undefined) await nameServer(target, server);
  for (const { path, mac } of await strangeCards(target, object.entries, macs)) {
    task.warn(`/${path} names the network card ${mac}, which this machine has not: the network may not come up`);
  }
  task.log(`it is what it was on ${object.created}: object ${number}, ${object.entries.length} entries`);
}

/** The machine's settings are its own, but where its server is, that is known now. */
async function nameServer(target: string, server: string): Promise<void> {
  const files = rootFiles(target);
  const text = await files.read(agentFiles.settings);
  if (text === undefined) return;
  const line = `server: ${JSON.stringify(server)}`;
  const named = /^server:.*$/m.test(text) ? text.replace(/^server:.*$/m, line) : `${line}\n${text}`;
  if (named !== text) await files.write(agentFiles.settings, named);
}

const networkFiles = /^etc\/(?:network|netplan|systemd\/network|NetworkManager\/system-connections|sysconfig)\//;

async function strangeCards(
  target: string,
  entries: readonly { path: string }[],
  macs: readonly string[],
): Promise<{ path: string; mac: string }[]> {
  const found: { path: string; mac: string }[] = [];
  for (const { path } of entries.filter((entry) => networkFiles.test(entry.path))) {
    const text = await rootFiles(target)
      .read(path)
      .catch(() => undefined);
    for (const [mac] of text?.matchAll(/\b[0-9a-f]{2}(?::[0-9a-f]{2}){5}\b/gi) ?? []) {
      if (!macs.includes(mac.toLowerCase())) found.push({ path, mac });
    }
  }
  return found;
}
