import { ImprintError, toImprintError } from '../../foundation/errors.ts';
import type { Task } from '../../foundation/task.ts';
import { type BootRoot, bootArguments, placeArguments } from '../../machine/boot-arguments.ts';
import type { BootKernel } from '../../machine/image-content.ts';
import type { InstalledLayout } from '../../machine/installed-layout.ts';
import { initramfsFiles } from '../../machine/installed-stack.ts';
import { buildBootAddition } from '../../netboot/boot-addition.ts';
import { detectInitramfs } from '../../netboot/detect-initramfs.ts';
import type { EntryFiles } from '../../system/boot-partition.ts';
import { rootFiles } from '../../system/root-files.ts';
import type { Processes } from '../../system/run.ts';
import { rootKeys } from './stack-executors.ts';

/** How the parts of an entry are made; another way is for tests. */
export interface EntryMakers {
  detect: typeof detectInitramfs;
  build: typeof buildBootAddition;
}

export interface EntryRequest {
  processes: Processes;
  /** The tree that the entry boots. */
  root: string;
  /** One of its `/boot`. */
  kernel: BootKernel;
  /** Where the tree lies. */
  boot: BootRoot;
  /** Name of the slot that it lies in. */
  slot: string;
  layout: InstalledLayout;
  /** Kernel options of the image and of the machine. */
  options: readonly string[];
  makers?: EntryMakers;
}

/** What an entry needs of its tree: files for the boot partition, and how its kernel is called. */
export interface PreparedEntry {
  kernelVersion: string;
  kernelOptions: string[];
  files: EntryFiles;
}

const usualMakers: EntryMakers = { detect: detectInitramfs, build: buildBootAddition };

/**
 * Takes kernel and initial RAM disk of a tree and makes the boot addition for them. An initial RAM disk that we do not know, or none, still
 * boots a partition, but its trials are not watched by it; an image file needs one. Errors: `image-unfit`, `io-failed`, `tool-missing`.
 */
export async function prepareEntry(request: EntryRequest, task: Task): Promise<PreparedEntry> {
  const { processes, root, kernel, boot, layout, makers = usualMakers } = request;
  const files = rootFiles(root);
  const vmlinuz = await files.resolve(`boot/${kernel.kernel}`);
  const { signal } = task;
  if (kernel.initrd === undefined) {
    return { kernelVersion: kernel.version, kernelOptions: plainArguments(request), files: { vmlinuz } };
  }
  const initrd = await files.resolve(`boot/${kernel.initrd}`);
  const plain = { kernelVersion: kernel.version, kernelOptions: plainArguments(request), files: { vmlinuz, initrd } };
  const known = await makers.detect(root, `boot/${kernel.initrd}`, { processes, signal });
  if (known === undefined) {
    return withoutAddition(request, plain, `${kernel.initrd} is of neither initramfs-tools nor dracut`, task);
  }
  const initramfs = known.kind;
  try {
    const hostFileSystem = layout.host?.fileSystem;
    const { purpose } = boot;
    const addition = await makers.build({
      ...{ root, kernelVersion: kernel.version, initramfs, purpose, processes, signal },
      ...(hostFileSystem === undefined ? {} : { hostFileSystem }),
      files: [...initramfsFiles(layout.stack), ...(await rootKeys(root, layout.stack))],
    });
    const kernelOptions = bootArguments({ root: boot, initramfs, options: request.options, stack: layout.stack });
    return { kernelVersion: kernel.version, kernelOptions, files: { vmlinuz, initrd, addition } };
  } catch (thrown) {
    const error = toImprintError(thrown);
    if (error.code !== 'image-unfit') throw thrown;
    return withoutAddition(request, plain, error.message, task);
  }
}

function withoutAddition(
  { boot, layout }: EntryRequest,
  plain: PreparedEntry,
  problem: string,
  task: Task,
): PreparedEntry {
  if (boot.purpose === 'file' || initramfsFiles(layout.stack).length > 0) {
    const hint = 'Install initramfs-tools or dracut in the image, or choose another layout.';
    throw new ImprintError('image-unfit', { reference: 'the image', machine: 'this machine', problem, hint });
  }
  task.warn(`no boot addition for this image, so a trial of it that hangs is not restarted by itself: ${problem}`);
  return plain;
}

/** Only an initial RAM disk can look for the UUID of a file system; a bare kernel knows partitions. */
function plainArguments({ boot, kernel, layout, slot, options }: EntryRequest): string[] {
  const place = layout.slots.find(({ name }) => name === slot);
  const root =
    kernel.initrd === undefined && place !== undefined
      ? [`root=PARTUUID=${place.partitionUuid}`, `rootfstype=${place.fileSystem}`, 'rootwait']
      : boot.purpose === 'file'
        ? []
        : placeArguments(boot);
  return [...root, 'ro', ...options.filter((option) => !option.startsWith('panic=')), 'panic=30'];
}
