import { symlink } from 'node:fs/promises';
import type { Task } from '../../foundation/task.ts';
import { machineOwnState, renderHostName, renderHosts } from '../../machine/identity-files.ts';
import { ownCertificatePaths, renderOwnCertificateUnit } from '../../machine/own-certificate.ts';
import type { StepOf } from '../../planning/step.ts';
import { type RootFiles, rootFiles } from '../../system/root-files.ts';
import type { InstallContext } from './install-context.ts';

const hostKeyTypes = ['ed25519', 'ecdsa', 'rsa'] as const;

/** Makes the restored system itself: names, machine-id, SSH host keys; takes off what was the golden machine's. */
export async function writeIdentity(
  step: StepOf<'write-identity'>,
  context: InstallContext,
  task: Task,
): Promise<void> {
  const files = rootFiles(context.target);
  const goldenName = (await files.read('etc/hostname'))?.trim() || step.goldenName;
  await files.write('etc/hostname', renderHostName(step.name));
  await files.write('etc/hosts', renderHosts((await files.read('etc/hosts')) ?? '', step.name, goldenName));
  await files.write('etc/machine-id', `${step.machineId}\n`, 0o444);
  // D-Bus keeps a copy where it is no link to the one above.
  await files.remove('var/lib/dbus/machine-id');
  if (await files.exists('var/lib/dbus')) await files.write('var/lib/dbus/machine-id', `${step.machineId}\n`);
  for (const pattern of machineOwnState) {
    for (const gone of await files.remove(pattern)) task.log(`removed /${gone}: it was the golden machine's`);
  }
  await writeHostKeys(step, files, context, task);
  await writeOwnCertificate(files, task);
  if (step.relabel) await files.write('.autorelabel', '');
}

/** Gives a system that runs another name, at once and for later. */
export async function renameSystem(
  { name, before }: StepOf<'rename-system'>,
  { processes, target }: InstallContext,
  task: Task,
): Promise<void> {
  const files = rootFiles(target);
  await files.write('etc/hostname', renderHostName(name));
  await files.write('etc/hosts', renderHosts((await files.read('etc/hosts')) ?? '', name, before));
  await processes.run('hostname', [renderHostName(name).trim()], { timeout: 60_000, signal: task.signal });
}

async function writeHostKeys(
  step: StepOf<'write-identity'>,
  files: RootFiles,
  { processes }: InstallContext,
  task: Task,
): Promise<void> {
  for (const pattern of ['etc/ssh/ssh_host_*_key', 'etc/ssh/ssh_host_*_key.pub', 'etc/ssh/ssh_host_*_key-cert.pub']) {
    await files.remove(pattern);
  }
  if (!step.sshHostKeys) return;
  await files.makeDirectory('etc/ssh');
  const directory = await files.resolve('etc/ssh');
  for (const type of hostKeyTypes) {
    const args = ['-q', '-t', type, '-N', '', '-C', `root@${step.name}`, '-f', `${directory}/ssh_host_${type}_key`];
    await processes.run('ssh-keygen', args, { timeout: 300_000, signal: task.signal });
  }
}

async function writeOwnCertificate(files: RootFiles, task: Task): Promise<void> {
  const { key, maker, unit, wanted } = ownCertificatePaths;
  if (!(await files.exists(maker)) || (await files.exists(key))) return;
  await files.write(unit, renderOwnCertificateUnit());
  await files.remove(wanted);
  await files.makeDirectory(wanted.slice(0, wanted.lastIndexOf('/')));
  await symlink(`/${unit}`, await files.resolve(wanted));
  task.log('the first boot makes this machine’s own snakeoil certificate');
}
