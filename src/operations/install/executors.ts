import { chmod } from 'node:fs/promises';
import { ImprintError } from '../../foundation/errors.ts';
import type { Task } from '../../foundation/task.ts';
import { partitionLabels } from '../../machine/installed-layout.ts';
import { withSubvolume } from '../../planning/install-layout.ts';
import type { Step, StepKind, StepOf } from '../../planning/step.ts';
import { makeCrypt } from '../../system/crypt.ts';
import { makeDataFileSystem } from '../../system/data-file-system.ts';
import { makeEsp, makeRootFileSystem, makeSwap } from '../../system/filesystem.ts';
import { installBiosBoot, installUefiBoot } from '../../system/grub.ts';
import { mountDevice, unmountTree } from '../../system/mount.ts';
import {
  changePartitionTable,
  clearPartitions,
  deviceSize,
  flushDevice,
  wipeDisk,
  writePartitionTable,
} from '../../system/partition.ts';
import { makeRaid } from '../../system/raid.ts';
import { rootFiles } from '../../system/root-files.ts';
import { makeSubvolumes } from '../../system/subvolume.ts';
import { makeSwapFile } from '../../system/swap-file.ts';
import { makeGroup, makeVolume } from '../../system/volume-group.ts';
import { keepVersion, restoreVersion, writeAgent } from './agent-step.ts';
import { copyBootPartition, writeBootPartition } from './boot-partition-step.ts';
import { gatherOld } from './gather-old.ts';
import { makeImage, placeImage } from './image-steps.ts';
import { hostDirectory, type InstallContext, type LiveRoot } from './install-context.ts';
import { bringBackObject } from './lay-object.ts';
import { runScripts } from './run-scripts.ts';
import { saveBootBefore } from './save-boot-step.ts';
import { writeKey } from './stack-executors.ts';
import { writeFirstBootScripts } from './write-first-boot-scripts.ts';
import { renameSystem, writeIdentity } from './write-identity.ts';
import { writeNetwork } from './write-network.ts';
import { writeFirstBoot, writeFstab } from './write-system-files.ts';

/** Does one step. Rejects with what went wrong; the step may be done again only after the disk was wiped anew. */
export function executeStep(step: Step, context: InstallContext, task: Task): Promise<void> {
  return executors[step.kind](step as never, context, task);
}

type Executor<Kind extends StepKind> = (step: StepOf<Kind>, context: InstallContext, task: Task) => Promise<void>;

function liveRoot(live: LiveRoot | undefined): LiveRoot {
  if (live !== undefined) return live;
  throw new ImprintError('internal', { problem: 'only the imager starts what it installs' });
}

const executors: { readonly [Kind in StepKind]: Executor<Kind> } = {
  'save-boot': saveBootBefore,
  'gather-old': gatherOld,
  'wipe-disk': (step, { processes }, task) => wipeDisk(processes, step.disk, task.signal),
  'partition-disk': (step, { processes, clock }, task) =>
    writePartitionTable(processes, step.disk, step.table, clock, task.signal),
  'clear-partitions': (step, { processes }, task) =>
    clearPartitions(processes, step.disk, step.partitions, task.signal),
  'change-partitions': (step, { processes, clock }, task) =>
    changePartitionTable(processes, step.disk, step, clock, task.signal),
  'make-raid': (step, { processes }, task) => makeRaid(processes, step, task.signal),
  'make-crypt': async (step, { processes, secretOf }, task) => {
    if (secretOf === undefined)
      throw new ImprintError('internal', { problem: 'there is nobody who knows the passphrase' });
    await makeCrypt(processes, step, await secretOf(step, task.signal), task.signal);
  },
  'make-group': (step, { processes }, task) => makeGroup(processes, step, task.signal),
  'make-volume': (step, { processes }, task) => makeVolume(processes, step, task.signal),
  'make-data': (step, { processes }, task) => makeDataFileSystem(processes, step, task.signal),
  'mount-data': async (step, { processes, target }, task) => {
    const { device, fileSystem: type, mount, subvolume } = step;
    const options = withSubvolume('noatime', subvolume);
    await rootFiles(target).makeDirectory(mount.slice(1));
    await mountDevice(processes, { device, directory: `${target}${mount}`, type, options }, task.signal);
  },
  'bind-directory': async ({ source, mount, mode }, { processes, target }, task) => {
    const files = rootFiles(target);
    for (const path of [source, mount]) await files.makeDirectory(path.slice(1));
    await chmod(await files.resolve(source.slice(1)), mode);
    const bind = { device: `${target}${source}`, directory: `${target}${mount}`, type: 'none', options: 'bind' };
    await mountDevice(processes, bind, task.signal);
  },
  'make-root': async (step, { processes }, task) => {
    const { device, fileSystem, uuid, inodes } = step;
    const size = await deviceSize(device);
    await makeRootFileSystem(processes, { device, fileSystem, uuid, inodes, size }, task.signal);
  },
  'make-esp': (step, { processes }, task) => makeEsp(processes, step.device, step.volumeId, task.signal),
  'make-swap': (step, { processes }, task) => makeSwap(processes, step.device, step.uuid, task.signal),
  'mount-root': async (step, { processes, target, clock }, task) => {
    await unmountTree(processes, target, clock);
    const { device, fileSystem, subvolume } = step;
    const options = withSubvolume('noatime', subvolume);
    await mountDevice(processes, { device, directory: target, type: fileSystem, options }, task.signal);
  },
  'make-subvolumes': ({ device, subvolumes }, { processes, clock, target }, task) =>
    makeSubvolumes(processes, clock, { device, subvolumes, mountAt: `${target}-top` }, task.signal),
  'make-swap-file': async ({ path, bytes, fileSystem }, { processes, target }, task) => {
    const files = rootFiles(target);
    const place = path.slice(1);
    const cut = place.lastIndexOf('/');
    if (cut > 0) await files.makeDirectory(place.slice(0, cut));
    // The golden machine's own, where it has one there, is no file of this machine.
    await files.remove(place);
    await makeSwapFile(processes, { path: await files.resolve(place), bytes, fileSystem }, task.signal);
  },
  'make-host': async (step, { processes }, task) => {
    const { device, fileSystem, uuid } = step;
    const size = await deviceSize(device);
    const wish = { device, fileSystem, uuid, inodes: 0, size, label: partitionLabels.host };
    await makeRootFileSystem(processes, wish, task.signal);
  },
  'mount-host': async (step, context, task) => {
    const { processes, clock } = context;
    const directory = hostDirectory(context);
    await unmountTree(processes, directory, clock);
    const { device, fileSystem: type } = step;
    await mountDevice(processes, { device, directory, type, options: 'noatime' }, task.signal);
  },
  'make-image': makeImage,
  'place-image': placeImage,
  restore: restoreVersion,
  'write-fstab': writeFstab,
  'write-crypt-keys': async ({ keys }, context) => {
    for (const { name, path } of keys) {
      const key = context.keys?.get(name);
      if (key === undefined) throw new ImprintError('internal', { problem: `there is no key for ${name}` });
      await writeKey(context.target, path, key);
    }
  },
  'write-identity': writeIdentity,
  'write-network': async ({ network }, { target, processes }, task) => {
    await writeNetwork(target, network, processes, task);
  },
  'write-agent': writeAgent,
  'lay-object': bringBackObject,
  'write-first-boot': writeFirstBoot,
  'write-first-boot-scripts': writeFirstBootScripts,
  'run-scripts': runScripts,
  'write-boot-partition': writeBootPartition,
  'copy-boot-partition': copyBootPartition,
  'unmount-root': async (step, { processes, target, clock }) => {
    await unmountTree(processes, target, clock);
    await flushDevice(step.device);
  },
  'install-bios-boot': (step, { processes, grub }, task) => {
    const { disk, partition, start, size, bootUuid, table } = step;
    const target = { disk, partition, start, size, bootUuid, ...(table && { table }), ...(grub && { grub }) };
    return installBiosBoot(processes, target, task.signal);
  },
  'install-uefi-boot': ({ device, bootUuid, table }, { processes, grub }, task) => {
    const target = { esp: device, bootUuid, ...(table && { table }), ...(grub && { grub }) };
    return installUefiBoot(processes, target, task.signal);
  },
  'start-live': async (step, context, task) => {
    await liveRoot(context.live).start(step, task);
    await keepVersion(context);
  },
  'hand-over': (_step, { live }, task) => liveRoot(live).handOver(task),
  'rename-system': renameSystem,
  'move-live': (step, { live }, task) => liveRoot(live).move(step, task),
};
