import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { InstallOptions } from '../../src/contract/machine.ts';
import { systemClock } from '../../src/foundation/clock.ts';
import { Task } from '../../src/foundation/task.ts';
import { executeInstall } from '../../src/operations/install/execute-install.ts';
import { freshIdentity } from '../../src/operations/install/fresh-identity.ts';
import type { InstallContext } from '../../src/operations/install/install-context.ts';
import { type InstallPlan, planInstall } from '../../src/planning/plan-install.ts';
import type { Step, StepKind } from '../../src/planning/step.ts';
import { readMachineFacts } from '../../src/system/machine-facts.ts';
import { systemProcesses } from '../../src/system/run.ts';
import { imageContent, versionRecord } from '../version-record.ts';
import type { LoopDisk } from './loop-disk.ts';

const { run } = systemProcesses;

/** What is in the version that these tests install. */
export const content = imageContent({
  kernels: [{ version: '6.1.0-10-amd64', kernel: 'vmlinuz-6.1.0-10-amd64', initrd: 'initrd.img-6.1.0-10-amd64' }],
  // Making keys is what takes long.
  sshServer: false,
});

/** Of `web:3` as `web01` on this machine, as if it had no other disks. */
export async function planFor(disks: readonly LoopDisk[], options: InstallOptions): Promise<InstallPlan> {
  return planInstall({
    name: 'web01',
    facts: await readMachineFacts(
      systemProcesses,
      disks.map(({ device }) => device),
    ),
    reference: 'web:3',
    record: versionRecord({ number: 3 }),
    content,
    options,
    fresh: freshIdentity(),
  });
}

/** By a layout of one's own, which starts the machine from the first of the disks. */
export function planOn(disk: LoopDisk, text: string, other?: LoopDisk): Promise<InstallPlan> {
  const disks = other === undefined ? [disk] : [disk, other];
  return planFor(disks, { layout: 'own', own: { name: 'own.yaml', text }, disk: disk.device });
}

/** This machine, as if it had these disks alone. */
export async function factsOf(disks: readonly LoopDisk[]) {
  const paths = disks.map(({ device }) => device);
  const facts = await readMachineFacts(systemProcesses, paths);
  return { ...facts, disks: facts.disks.filter(({ path }) => paths.includes(path)) };
}

export async function stepsOn(disk: LoopDisk, text: string, other?: LoopDisk): Promise<Step[]> {
  const plan = await planOn(disk, text, other);
  if (plan.kind === 'refused') throw plan.error;
  return plan.steps;
}

export async function addHomes(golden: string): Promise<void> {
  await mkdir(join(golden, 'home/admin'), { recursive: true });
  await writeFile(join(golden, 'home/admin/notes'), 'of the image\n');
  await mkdir(join(golden, 'srv/data'), { recursive: true });
  await writeFile(join(golden, 'srv/data/seed'), 'of the image\n');
}

/** Until the step of that kind is done; all of them where none is named. */
export async function install(context: InstallContext, steps: readonly Step[], last?: StepKind): Promise<void> {
  const end = last === undefined ? steps.length : steps.findIndex(({ kind }) => kind === last) + 1;
  const attempt = () =>
    Task.run(
      'install',
      () => {},
      (task) => executeInstall('web01', steps.slice(0, end), context, task),
    );
  // Somebody who made a mount namespace while ours were mounted holds the disk until it ends.
  await until(() =>
    attempt().then(
      () => true,
      (error) =>
        error.code === 'disk-in-use' || /the kernel holds the disk/.test(error.message) ? false : Promise.reject(error),
    ),
  );
}

async function until(done: () => Promise<boolean>): Promise<void> {
  for (let second = 0; !(await done()); second += 1) {
    if (second === 60) throw new Error('the disk stays in use');
    await systemClock.sleep(1000);
  }
}

/** Works on what is in a partition. */
export async function within<Result>(
  disk: LoopDisk,
  number: number,
  work: (root: string) => Promise<Result>,
): Promise<Result> {
  const directory = join(disk.directory, 'looked-at');
  await mkdir(directory, { recursive: true });
  await run('mount', [`${disk.device}p${number}`, directory]);
  try {
    return await work(directory);
  } finally {
    await run('umount', [directory]);
  }
}

/** A file, undefined where there is none. */
export const text = (root: string, path: string) => readFile(join(root, path), 'utf8').catch(() => undefined);
