import type { UsbMediaInput, UsbMediaOutput } from '../../contract/operations/media.ts';
import { ImprintError } from '../../foundation/errors.ts';
import type { Task } from '../../foundation/task.ts';
import { parseLocalConfig } from '../../machine/local-config.ts';
import { renderLocalTemplate } from '../../machine/local-template.ts';
import { renderMediumMenu } from '../../machine/medium-menu.ts';
import { type MediumNames, mediumLabels, mediumNames, mediumPaths } from '../../machine/medium-names.ts';
import { layMedium, type MediumTable, type MediumWish } from '../../machine/medium-table.ts';
import { embedGrub, type MediumDisk, writeMediumTable } from '../../system/medium-disk.ts';
import { findSignedBoot, type SignedBoot } from '../../system/signed-boot.ts';
import type { Context } from '../context.ts';
import { type BootPrograms, bootFiles, makeBootPrograms, startsUnderSecureBoot } from './boot-programs.ts';
import { type Ext4Files, layFiles, writeFilesAsExt4 } from './ext4-files.ts';
import { type ImagerParts, mediumTime, readImager } from './imager-parts.ts';
import { openMediumStore, storeFingerprint } from './medium-store.ts';
import { withMediumTarget } from './medium-target.ts';
import { bootWishes, volumeName, writeFat } from './write-boot-disk.ts';

/** Everything of a medium before a byte of it is written. */
interface UsbPlan {
  names: MediumNames;
  table: MediumTable;
  /** Of the FAT file system. */
  files: Record<string, Uint8Array>;
  programs: BootPrograms;
  store?: Ext4Files;
  time: number;
}

/**
 * `imprint media usb`: a medium with the imager that boots on BIOS and UEFI, as the image of a disk or on the disk itself. Same inputs, same bytes. Neither
 * mounts nor root are needed for a file.
 *
 * Errors: those of `usbMedia`, `io-failed`, `interrupted`.
 */
export async function writeUsbMedium(context: Context, input: UsbMediaInput, task: Task): Promise<UsbMediaOutput> {
  const warnings: string[] = [];
  const localConfig = input.localConfig ?? renderLocalTemplate();
  warnings.push(...checkLocalConfig(localConfig));
  const imager = await readImager(context);
  const signed = await findSignedBoot();
  await using store =
    input.images.length === 0
      ? undefined
      : await task.part('choose content', (part) =>
          openMediumStore(context, input.images, part, `${mediumPaths.store}/`),
        );
  const key = (await context.key()).signer.publicKey.id;
  const fingerprint = [...imager.fingerprint, key, input.server ?? '', input.kernelOptions ?? '', localConfig];
  const names = mediumNames(['usb', ...fingerprint, ...(store === undefined ? [] : storeFingerprint(store))]);
  const kernelTrusted = startsUnderSecureBoot(signed, imager.kernel);
  const images = (store?.images ?? []).map(({ image }) => image);
  const plan = await task.part('make it boot', (part) =>
    planUsb(context, { input, imager, signed, names, kernelTrusted, images, localConfig, store: store?.files }, part),
  );
  const device = await withMediumTarget(
    context,
    { target: input.target, size: plan.table.size, force: input.force },
    task,
    (disk) => task.part('write', (part) => writeUsb(context, disk, plan, part)),
  );
  if (!kernelTrusted) warnings.push(secureBootProblem(signed));
  return {
    target: input.target,
    device,
    bytes: plan.table.size,
    id: names.id,
    partitions: plan.table.partitions.map(({ number, name, start, size }) => ({ number, name, start, size })),
    images: (store?.images ?? []).map(({ image, digest }) => ({ image, digest })),
    ...(input.server === undefined ? {} : { server: input.server }),
    key,
    secureBoot: kernelTrusted,
    warnings,
  };
}

/** What a local.cfg has to say for itself; refused where it is wrong. Throws `local-config-wrong`. */
export function checkLocalConfig(text: string): string[] {
  const answer = parseLocalConfig(Buffer.from(text));
  if (answer.kind === 'settings')
    return answer.remarks.map(({ line, problem }) => `local.cfg, line ${line}: ${problem}`);
  const problems = answer.problems.map(({ line, problem }) => (line === 0 ? problem : `line ${line}: ${problem}`));
  throw new ImprintError('local-config-wrong', { file: 'local.cfg', problems: problems.join('; ') });
}

interface UsbParts {
  input: UsbMediaInput;
  imager: ImagerParts;
  signed: SignedBoot | undefined;
  names: MediumNames;
  kernelTrusted: boolean;
  images: string[];
  localConfig: string;
  store: Parameters<typeof layFiles>[0] | undefined;
}

async function planUsb({ processes }: Context, parts: UsbParts, task: Task): Promise<UsbPlan> {
  const { input, imager, signed, names, kernelTrusted, images } = parts;
  const time = mediumTime();
  const volume = volumeName(names.volumeId('boot'));
  const programs = await makeBootPrograms(processes, volume, signed, task.signal);
  const menu = renderMediumMenu({
    id: names.id,
    search: `--fs-uuid ${volume}`,
    ...(input.server === undefined ? {} : { server: input.server }),
    ...(input.kernelOptions === undefined ? {} : { kernelOptions: input.kernelOptions }),
    images,
    kernelTrusted,
  });
  const files: Record<string, Uint8Array> = {
    ...bootFiles(programs, menu),
    [mediumPaths.kernel]: imager.kernel,
    [mediumPaths.initrd]: imager.initrd,
    [mediumPaths.record]: Buffer.from(`${JSON.stringify({ format: 1, id: names.id, images })}\n`),
    [mediumPaths.settings]: Buffer.from(parts.localConfig),
  };
  const bytes = Object.values(files).reduce((sum, content) => sum + content.length + 4096, 0);
  const store = parts.store === undefined ? undefined : layFiles(parts.store, time);
  const wishes: MediumWish[] = bootWishes(names, 'Imprint', bytes);
  if (store !== undefined) {
    const uuid = names.uuid('partition store');
    wishes.push({ number: 3, role: 'data', name: 'Imprint images', size: store.size, uuid });
  }
  return { names, table: layMedium(names.uuid('table'), wishes), files, programs, time, ...(store && { store }) };
}

async function writeUsb({ processes }: Context, disk: MediumDisk, plan: UsbPlan, task: Task): Promise<void> {
  const { table, names, time } = plan;
  await writeMediumTable(processes, disk, table, task.signal);
  const [bios, boot, data] = table.partitions;
  if (bios === undefined || boot === undefined) throw new RangeError('a medium without its first partitions');
  writeFat(disk, boot, { volumeId: names.volumeId('boot'), label: mediumLabels.boot, files: plan.files, time });
  if (data !== undefined && plan.store !== undefined) {
    const place = { ...data, uuid: names.uuid('store'), label: mediumLabels.store, time };
    await task.part('write images', (part) => writeFilesAsExt4(processes, disk, place, plan.store as Ext4Files, part));
  }
  // Last: a medium that was not finished starts nothing.
  embedGrub(disk, bios, plan.programs.bios);
}

function secureBootProblem(signed: SignedBoot | undefined): string {
  return signed === undefined
    ? 'it does not start where Secure Boot is on: the packages shim-signed and grub-efi-amd64-signed are not installed here'
    : `it does not start where Secure Boot is on: the imager's kernel is not signed by ${signed.authorities.join(' or ')}`;
}
