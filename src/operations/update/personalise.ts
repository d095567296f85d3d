import { createReadStream } from 'node:fs';
import { readdir, rm, stat, symlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { type RawPath, rawPath } from '../../foundation/brand.ts';
import { toImprintError } from '../../foundation/errors.ts';
import { agentFiles } from '../../machine/agent-files.ts';
import { objectPaths } from '../../machine/carried-state.ts';
import { firstBootScriptPaths } from '../../machine/first-boot-scripts.ts';
import { installedMounts } from '../../machine/fstab.ts';
import { machineOwnState } from '../../machine/identity-files.ts';
import { agentPaths } from '../../machine/installed-layout.ts';
import { ownCertificatePaths, renderOwnCertificateUnit } from '../../machine/own-certificate.ts';
import { zramPaths } from '../../machine/zram.ts';
import { readXattrs, setXattr } from '../../native/attributes.ts';
import { type RootFiles, rootFiles } from '../../system/root-files.ts';
import { removeContents } from '../../tree/remove-contents.ts';
import { carryKeys } from '../install/stack-executors.ts';
import { type AgentProgram, installAgent, nodeProblem, removeAgent, writeKernelHooks } from '../install/write-agent.ts';
import { writeMounts } from '../install/write-system-files.ts';
import type { FillRequest, SlotRoot } from './fill-request.ts';
import { copyAttributes, copyCarried, findCarried } from './object-files.ts';
import { layObject } from './object-state.ts';

/**
 * Makes a version's tree this machine's: what was the golden machine's goes, the object comes, then fstab and agent. Returns the paths that are
 * no longer as the version has them, and whether the agent runs in it.
 */
export async function personalise(
  request: FillRequest,
  target: string,
  root: SlotRoot,
): Promise<{ personal: ReadonlySet<string>; agent: boolean }> {
  const { object, layout, image, task } = request;
  const files = rootFiles(target);
  const personal = new Set<string>(['etc/fstab', objectPaths.mark]);
  for (const pattern of [...machineOwnState, 'etc/ssh/ssh_host_*_key*', 'var/lib/dbus/machine-id', 'etc/machine-id']) {
    for (const gone of await files.remove(pattern)) personal.add(gone);
  }
  await leaveFirstBoot(files);
  await layObject(object, target, layout.host?.uuid ?? layout.boot);
  for (const { path } of object.entries) personal.add(path);
  if (layout.stack !== undefined || layout.zram !== undefined) for (const path of stackPaths) personal.add(path);
  await keepHistory(request, target);
  await writeHostKeys(request, files);
  await writeOwnCertificate(files, personal);
  await carryKeys('/', target, layout.stack);
  for (const { keyFile } of layout.stack?.crypts ?? []) if (keyFile !== undefined) personal.add(keyFile.slice(1));
  const label = await labelOf(files, 'etc/fstab');
  await writeMounts(target, installedMounts(layout, { uuid: root.uuid, type: root.fileSystem }));
  if (label !== undefined) setXattr(await rawPlace(files, 'etc/fstab'), selinux, label);
  const agent = image.systemd && image.runsNode ? await putAgent(request, target) : 'none';
  if (agent === 'none') await removeAgent(target);
  // What was carried has its own labels.
  if (image.selinux && (label === undefined || agent === 'new')) {
    await files.write('.autorelabel', '');
    task.log('the first boot labels what has no SELinux label yet, and restarts the machine');
  }
  return { personal, agent: agent !== 'none' };
}

/** Written for this machine's file systems and swap. */
const stackPaths = [...Object.values(zramPaths), 'etc/crypttab', 'etc/mdadm.conf', 'etc/mdadm/mdadm.conf'];

/** Scripts of the first boot are an install's: a slot made from a root that never ran all of them has none. */
async function leaveFirstBoot(files: RootFiles): Promise<void> {
  const { directory, unit, wanted } = firstBootScriptPaths;
  for (const path of [wanted, unit]) await files.remove(path);
  await rm(await files.resolve(directory), { recursive: true, force: true });
}

const selinux = 'security.selinux';

async function labelOf(files: RootFiles, path: string): Promise<Uint8Array | undefined> {
  if (!(await files.exists(path))) return undefined;
  return readXattrs(await rawPlace(files, path)).find(({ name }) => name === selinux)?.value;
}

async function rawPlace(files: RootFiles, path: string): Promise<RawPath> {
  return rawPath(await files.resolve(path));
}

/** Objects that lie in the root itself go along, so that the next slot knows what this machine was. */
async function keepHistory({ stateDirectory, layout, object }: FillRequest, target: string): Promise<void> {
  if (layout.host !== undefined || dirname(object.directory) !== stateDirectory) return;
  if (!`${stateDirectory}/`.endsWith(`/${objectPaths.inRoot}/`)) return;
  await rootFiles(target).makeDirectory(dirname(objectPaths.inRoot));
  const base = await rootFiles(target).resolve(dirname(objectPaths.inRoot));
  const place = join(base, basename(objectPaths.inRoot));
  removeContents(rawPath(place), true);
  const from = dirname(stateDirectory);
  const entries = findCarried(from, [stateDirectory.slice(from.length + 1)]);
  for (const entry of entries) copyCarried(from, base, entry);
  for (const entry of entries.toReversed()) {
    if (entry.type !== 'directory') continue;
    copyAttributes(`${rawPath(from)}/${entry.path}` as RawPath, entry, `${rawPath(base)}/${entry.path}` as RawPath);
  }
}

/** A version with an ssh server, on a machine that had none before. */
async function writeHostKeys({ image, processes, task }: FillRequest, files: RootFiles): Promise<void> {
  if (!image.sshServer || !(await files.exists('etc/ssh'))) return;
  const directory = await files.resolve('etc/ssh');
  const names = await readdir(directory);
  if (names.some((name) => /^ssh_host_.*_key$/.test(name))) return;
  for (const type of ['ed25519', 'ecdsa', 'rsa']) {
    const args = ['-q', '-t', type, '-N', '', '-f', `${directory}/ssh_host_${type}_key`];
    try {
      await processes.run('ssh-keygen', args, { timeout: 300_000, signal: task.signal });
    } catch (thrown) {
      task.signal.throwIfAborted();
      task.warn(`the new version gets no SSH host keys: ${toImprintError(thrown).message}`);
      return;
    }
  }
}

async function writeOwnCertificate(files: RootFiles, personal: Set<string>): Promise<void> {
  const { key, maker, unit, wanted } = ownCertificatePaths;
  if (!(await files.exists(maker)) || (await files.exists(key))) return;
  await files.write(unit, renderOwnCertificateUnit());
  await files.remove(wanted);
  await files.makeDirectory(dirname(wanted));
  await symlink(`/${unit}`, await files.resolve(wanted));
  for (const path of [unit, wanted]) personal.add(path);
}

/** Puts the agent in where it is not there already, and sees whether it runs. */
async function putAgent({ agent, processes, task }: FillRequest, target: string): Promise<'none' | 'kept' | 'new'> {
  if (agent === undefined) return 'none';
  const files = rootFiles(target);
  const kept = await hasAgent(files, agent);
  if (kept) await enableAgent(files);
  else await installAgent(target, { program: agent });
  const problem = await nodeProblem(processes, target, task);
  if (problem === undefined) return kept ? 'kept' : 'new';
  task.warn(`the agent cannot run in the new version, which must do without it: ${problem}`);
  return 'none';
}

async function enableAgent(files: RootFiles): Promise<void> {
  await files.remove(agentFiles.wanted);
  await files.makeDirectory(dirname(agentFiles.wanted));
  await symlink(`/${agentPaths.unit}`, await files.resolve(agentFiles.wanted));
  await writeKernelHooks(files);
}

/** Whether all files of the agent are there as this program has them: a hundred megabytes that need not be written again. */
async function hasAgent(files: RootFiles, agent: AgentProgram): Promise<boolean> {
  const directory = await files.resolve(agentPaths.program);
  if (!(await files.exists(agentPaths.command)) || !(await files.exists(agentPaths.unit))) return false;
  const there = await readdir(directory).catch((): string[] => []);
  const bundle = (await readdir(agent.bundle)).filter((name) => name.endsWith('.mjs') && name !== 'imager.mjs');
  const programs = there.filter((name) => name.endsWith('.mjs'));
  if (programs.length !== bundle.length || there.includes('node.bin')) return false;
  const pairs = bundle.map((name) => [join(agent.bundle, name), join(directory, name)] as const);
  for (const [one, other] of [...pairs, [agent.node, join(directory, 'node')] as const]) {
    if (!(await sameFiles(one, other))) return false;
  }
  return agent.boot === undefined || (await sameTrees(agent.boot, join(directory, 'boot')));
}

async function sameTrees(one: string, other: string): Promise<boolean> {
  const list = async (directory: string) =>
    (await readdir(directory, { recursive: true, withFileTypes: true }).catch(() => []))
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(directory.length))
      .sort();
  const [left, right] = await Promise.all([list(one), list(other)]);
  if (left.length === 0 || left.join('\0') !== right.join('\0')) return false;
  for (const name of left) if (!(await sameFiles(one + name, other + name))) return false;
  return true;
}

async function sameFiles(one: string, other: string): Promise<boolean> {
  const [left, right] = await Promise.all([one, other].map((path) => stat(path).catch(() => undefined)));
  if (left === undefined || right?.isFile() !== true || left.size !== right.size) return false;
  const [theirs, ours] = [createReadStream(one, streams), createReadStream(other, streams)];
  const iterator = ours[Symbol.asyncIterator]();
  for await (const piece of theirs as AsyncIterable<Buffer>) {
    const next = await iterator.next();
    if (next.done || !piece.equals(next.value as Buffer)) {
      ours.destroy();
      return false;
    }
  }
  ours.destroy();
  return true;
}

/** Pieces of the same length from both. */
const streams = { highWaterMark: 1 << 20 };
