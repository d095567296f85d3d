import { hash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { ImprintError } from '../../foundation/errors.ts';
import { type BootRoot, placeOfSlot } from '../../machine/boot-arguments.ts';
import { entryId } from '../../machine/installed-layout.ts';
import { mergeKernelOptions } from '../../machine/kernel-options.ts';
import { prepareEntry } from '../install/prepare-entry.ts';
import type { FilledSlot, FillRequest, SlotRoot } from './fill-request.ts';

/**
 * The entry that boots a filled slot, mounted at `target`, and its files: kernel and initial RAM disk as they lie in it, and the boot addition made
 * from it. Errors: `image-unfit`, `io-failed`.
 */
export async function entryFiles(
  request: FillRequest,
  target: string,
  root: SlotRoot,
): Promise<Pick<FilledSlot, 'entry' | 'files'>> {
  const { content, reference, layout, image, clock, processes, task, trialSeconds } = request;
  const { record, digest } = content;
  const [kernel] = image.kernels;
  if (kernel === undefined) {
    const hint = 'Install one on the golden machine, and capture it again.';
    const problem = 'it holds no kernel (no /boot/vmlinuz-…)';
    throw new ImprintError('image-unfit', { reference, machine: 'this machine', problem, hint });
  }
  const own = (request.kernelOptions ?? []).join(' ');
  const options = mergeKernelOptions(record.source.kernelOptions, own === '' ? undefined : own, layout.swap);
  const prepared = await prepareEntry(
    {
      ...{ processes, root: target, kernel, boot: bootRoot(request, root), slot: root.slot, layout, options },
      ...(request.makers === undefined ? {} : { makers: request.makers }),
    },
    task,
  );
  const files = await held(prepared.files);
  const hashes: Record<string, string> = { vmlinuz: hash('sha256', files.vmlinuz) };
  if (files.initrd !== undefined) hashes.initrd = hash('sha256', files.initrd);
  if (files.addition !== undefined) hashes['addition.cpio'] = hash('sha256', files.addition);
  const system = record.source.system?.name;
  return {
    entry: {
      id: entryId(root.slot, digest),
      slot: root.slot,
      ...(request.system === undefined ? {} : { system: request.system }),
      reference,
      digest,
      title: system === undefined ? reference : `${reference} · ${system}`,
      kernelVersion: prepared.kernelVersion,
      kernelOptions: [
        ...prepared.kernelOptions,
        ...(trialSeconds === undefined ? [] : [`imprint.limit=${trialSeconds}`]),
      ],
      files: hashes,
      created: new Date(clock.now()).toISOString(),
    },
    files,
  };
}

/** In memory, for the slot is let go of before they are written. */
export async function held(files: {
  vmlinuz: string | Uint8Array;
  initrd?: string | Uint8Array;
  addition?: string | Uint8Array;
}): Promise<FilledSlot['files']> {
  const bytes = async (source: string | Uint8Array) =>
    typeof source === 'string' ? readFile(source) : Buffer.from(source.buffer, source.byteOffset, source.byteLength);
  const { vmlinuz, initrd, addition } = files;
  return {
    vmlinuz: await bytes(vmlinuz),
    ...(initrd === undefined ? {} : { initrd: await bytes(initrd) }),
    ...(addition === undefined ? {} : { addition: await bytes(addition) }),
  };
}

function bootRoot({ layout, content }: FillRequest, root: SlotRoot): BootRoot {
  if (layout.host !== undefined) return { purpose: 'file', host: layout.host.uuid, image: content.digest };
  const slot = layout.slots.find(({ name }) => name === root.slot);
  return { purpose: 'partition', ...(slot === undefined ? { uuid: root.uuid } : placeOfSlot(slot)) };
}
