import { hash } from 'node:crypto';
import { existsSync } from 'node:fs';
import type { Clock } from '../../../foundation/clock.ts';
import { ImprintError } from '../../../foundation/errors.ts';
import type { Task } from '../../../foundation/task.ts';
import { bootArguments, placeOfSlot } from '../../../machine/boot-arguments.ts';
import type { BootEntry } from '../../../machine/boot-pointer.ts';
import type { BootKernel, ImageContent } from '../../../machine/image-content.ts';
import { inPlaceNames, journalArgument } from '../../../machine/in-place-journal.ts';
import type { InstalledLayout } from '../../../machine/installed-layout.ts';
import { initramfsFiles } from '../../../machine/installed-stack.ts';
import { mergeKernelOptions } from '../../../machine/kernel-options.ts';
import { buildBootAddition } from '../../../netboot/boot-addition.ts';
import { detectInitramfs } from '../../../netboot/detect-initramfs.ts';
import type { EntryFiles } from '../../../system/boot-partition.ts';
import { rootFiles } from '../../../system/root-files.ts';
import type { Processes } from '../../../system/run.ts';
import type { EntryMakers } from '../../install/prepare-entry.ts';
import { rootKeys } from '../../install/stack-executors.ts';
import { held } from '../entry-files.ts';
import type { UpdateContent } from '../update-content.ts';
import type { UpdatePaths } from './root-paths.ts';

export interface InPlaceEntriesRequest {
  content: UpdateContent;
  /** What the new version's manifest tells (`readImageContent`). */
  image: ImageContent;
  /** Of the update that lies ready. */
  paths: UpdatePaths;
  /** Root of the running system. */
  root: string;
  layout: InstalledLayout;
  /** The entry that runs. */
  running: BootEntry;
  /** The machine's own kernel options (`machineKernelOptions`). */
  kernelOptions?: readonly string[];
  /** Seconds that a boot on trial has. */
  trialSeconds?: number;
  processes: Processes;
  clock: Clock;
  makers?: EntryMakers;
}

/** An entry for a root, and its files in memory. */
export interface InPlaceEntry {
  entry: BootEntry;
  files: EntryFiles;
}

/**
 * The entry for the way back: that which runs, with the same files, whose initramfs undoes the update before anything of the root is used.
 * Errors: `in-place-unfit` where that entry has no boot addition, and so nobody would.
 */
export function backEntry(running: BootEntry, paths: UpdatePaths, clock: Clock): BootEntry {
  const { slot, digest, reference, files } = running;
  if (files['addition.cpio'] === undefined)
    throw unfit(reference, 'the entry that runs has no boot addition, which could undo the update');
  const [root = '', ...options] = running.kernelOptions.filter((option) => !option.startsWith('imprint.journal='));
  return {
    ...running,
    id: entryIdOf(slot, digest, paths.id),
    kernelOptions: [root, journalArgument('undo', paths.id), ...options],
    created: new Date(clock.now()).toISOString(),
  };
}

/**
 * The entry for the new version, with its files in memory: kernel and initial RAM disk as they lie ready, and a boot addition that ends the update before
 * anything of the root is used. Its programs are those of the root that runs: they bring their own libraries. (An overlay of the two trees would not
 * do: the kernel takes no layer that lies in another.) Errors: `in-place-unfit`, `image-unfit`, `io-failed`.
 */
export async function forwardEntry(request: InPlaceEntriesRequest, task: Task): Promise<InPlaceEntry> {
  const { content, paths, layout, running, trialSeconds } = request;
  const { record, digest } = content;
  const reference = `${record.image}:${record.number}`;
  const kernel = request.image.kernels[0];
  const slot = layout.slots.find(({ name }) => name === running.slot);
  if (slot === undefined) throw unfit(reference, 'its root lies in an image file, not in a partition');
  if (kernel === undefined) throw unfit(reference, 'it holds no kernel (no /boot/vmlinuz-…)');
  const { files, initramfs } = await kernelFiles(request, reference, kernel, task);
  const own = (request.kernelOptions ?? []).join(' ');
  const system = record.source.system?.name;
  return {
    entry: {
      id: entryIdOf(running.slot, digest, paths.id),
      slot: running.slot,
      reference,
      digest,
      title: system === undefined ? reference : `${reference} · ${system}`,
      kernelVersion: kernel.version,
      kernelOptions: bootArguments({
        root: { purpose: 'in-place', ...placeOfSlot(slot), journal: { direction: 'redo', id: paths.id } },
        initramfs,
        stack: layout.stack,
        ...(trialSeconds === undefined ? {} : { trialSeconds }),
        options: mergeKernelOptions(record.source.kernelOptions, own === '' ? undefined : own, layout.swap),
      }),
      files: hashesOf(files),
      created: new Date(request.clock.now()).toISOString(),
    },
    files,
  };
}

async function kernelFiles(request: InPlaceEntriesRequest, reference: string, kernel: BootKernel, task: Task) {
  const { processes, root } = request;
  const { detect, build } = request.makers ?? { detect: detectInitramfs, build: buildBootAddition };
  const { signal } = task;
  const { version, initrd } = kernel;
  if (initrd === undefined) {
    throw unfit(reference, `${kernel.kernel} has no initial RAM disk, which could end the update`);
  }
  const initrdTree = treeOf(request, `boot/${initrd}`);
  const known = await detect(initrdTree, `boot/${initrd}`, { processes, signal });
  if (known === undefined) throw unfit(reference, `${initrd} is of neither initramfs-tools nor dracut`);
  const addition = await build({
    root: treeOf(request, `usr/lib/modules/${version}/modules.dep`),
    ...{ programs: root, kernelVersion: version, initramfs: known.kind, purpose: 'in-place', processes, signal },
    files: [...initramfsFiles(request.layout.stack), ...(await rootKeys(root, request.layout.stack))],
  });
  const files = await held({
    vmlinuz: await rootFiles(treeOf(request, `boot/${kernel.kernel}`)).resolve(`boot/${kernel.kernel}`),
    initrd: await rootFiles(initrdTree).resolve(`boot/${initrd}`),
    addition,
  });
  return { files, initramfs: known.kind };
}

function hashesOf(files: Awaited<ReturnType<typeof held>>): Record<string, string> {
  const { vmlinuz, initrd, addition } = files;
  return {
    vmlinuz: hash('sha256', vmlinuz),
    ...(initrd === undefined ? {} : { initrd: hash('sha256', initrd) }),
    ...(addition === undefined ? {} : { 'addition.cpio': hash('sha256', addition) }),
  };
}

/** Where a file of the new version lies now: in what lies ready, or, where the update does not change it, in the root. */
function treeOf({ paths, root }: InPlaceEntriesRequest, path: string): string {
  const ready = `${paths.update}/${inPlaceNames.new}`;
  return existsSync(`${ready}/${path}`) ? ready : root;
}

/** Each update has entries of its own: the same version may come again, by another update. */
function entryIdOf(slot: string, digest: string, id: string): string {
  return `${slot}-${digest.replace(/^sha256:/, '').slice(0, 12)}-${id.slice(-6)}`;
}

function unfit(reference: string, problem: string): ImprintError {
  const hint = 'Update into another slot, or install the machine with --layout slots or files.';
  return new ImprintError('in-place-unfit', { reference, problem, hint });
}
