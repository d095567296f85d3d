import { systemClock } from '../../foundation/clock.ts';
import { toImprintError } from '../../foundation/errors.ts';
import type { Task } from '../../foundation/task.ts';
import { type InstalledStack, initramfsKey, type StackFile } from '../../machine/installed-stack.ts';
import type { Step } from '../../planning/step.ts';
import { closeCrypt } from '../../system/crypt.ts';
import { stopRaid } from '../../system/raid.ts';
import { rootFiles } from '../../system/root-files.ts';
import type { Processes } from '../../system/run.ts';
import { stopGroup } from '../../system/volume-group.ts';

/**
 * Lets go of the arrays, encrypted devices and volume groups that these steps make, the last made first: what is on the disks is whole then, and they can be
 * written anew. What was not made is passed over. Never rejects: it warns.
 */
export async function releaseStack(processes: Processes, steps: readonly Step[], task: Task): Promise<void> {
  for (const step of steps.toReversed()) {
    try {
      if (step.kind === 'make-raid') await patiently(() => stopRaid(processes, step.device));
      if (step.kind === 'make-crypt') await patiently(() => closeCrypt(processes, step.name));
      if (step.kind === 'make-group') await patiently(() => stopGroup(processes, step.name));
    } catch (thrown) {
      task.warn(`what the install made is still in use: ${toImprintError(thrown).message}`);
    }
  }
}

/** udev looks at a device when somebody who could write lets go of it, and has it open for a moment. */
async function patiently(work: () => Promise<void>): Promise<void> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await work();
    } catch (thrown) {
      if (attempt === 20 || toImprintError(thrown).code !== 'process-failed') throw thrown;
      await systemClock.sleep(250);
    }
  }
}

/** Writes the key of an encrypted device below a root, for root alone. Errors: `io-failed`, `disk-full`. */
export async function writeKey(root: string, path: string, key: string): Promise<void> {
  const files = rootFiles(root);
  const place = path.replace(/^\/+/, '');
  await files.makeDirectory(place.slice(0, Math.max(0, place.lastIndexOf('/'))), 0o700);
  await files.write(place, key, 0o600);
}

/** The same keys for the next version on this machine, in whose root they are not. */
export async function carryKeys(from: string, to: string, stack: InstalledStack | undefined): Promise<void> {
  for (const { keyFile } of stack?.crypts ?? []) {
    if (keyFile === undefined) continue;
    const key = await rootFiles(from).read(keyFile.replace(/^\/+/, ''));
    if (key !== undefined) await writeKey(to, keyFile, key);
  }
}

/** Keys that the initial RAM disk needs for the root in `root`: files of its boot addition. */
export async function rootKeys(root: string, stack: InstalledStack | undefined): Promise<StackFile[]> {
  const files: StackFile[] = [];
  for (const { name, keyFile, root: below } of stack?.crypts ?? []) {
    if (!below || keyFile === undefined) continue;
    const content = await rootFiles(root).read(keyFile.replace(/^\/+/, ''));
    if (content !== undefined) files.push({ path: initramfsKey(name).slice(1), content });
  }
  return files;
}
