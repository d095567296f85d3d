import { mkdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Task } from '../../foundation/task.ts';
import { hostPaths } from '../../machine/installed-layout.ts';
import type { StepOf } from '../../planning/step.ts';
import { flushFile, makeImageFile, settleBlocks } from '../../system/image-file.ts';
import { mountDevice, unmountTree } from '../../system/mount.ts';
import { flushDevice } from '../../system/partition.ts';
import { writeHostView } from './host-view.ts';
import { hostDirectory, type InstallContext } from './install-context.ts';

/** Makes the image file on the host partition, and mounts it where the root is filled. */
export async function makeImage(step: StepOf<'make-image'>, context: InstallContext, task: Task): Promise<void> {
  const { processes, target } = context;
  const host = hostDirectory(context);
  const path = join(host, step.path);
  const { bytes, uuid, inodes } = step;
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  await rm(path, { force: true });
  await makeImageFile(processes, { path, bytes, uuid, inodes }, task.signal);
  const mount = { device: path, directory: target, type: 'ext4', options: 'loop,noatime' };
  await mountDevice(processes, mount, task.signal);
}

/** Lets go of the filled image, names it, and lets go of the host partition. */
export async function placeImage(step: StepOf<'place-image'>, context: InstallContext): Promise<void> {
  const { processes, target, clock } = context;
  const host = hostDirectory(context);
  await unmountTree(processes, target, clock);
  await settleBlocks(join(host, step.path));
  await flushFile(join(host, step.path));
  await mkdir(join(host, hostPaths.data), { recursive: true });
  await writeHostView(host, { current: step.path });
  await unmountTree(processes, host, clock);
  await flushDevice(step.device);
}
