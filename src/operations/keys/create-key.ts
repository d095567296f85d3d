import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { KeyCreateInput, KeyCreateOutput } from '../../contract/operations/keys.ts';
import { formatBytes } from '../../foundation/bytes.ts';
import { ImprintError, toImprintError } from '../../foundation/errors.ts';
import type { Task } from '../../foundation/task.ts';
import { renderLocalTemplate } from '../../machine/local-template.ts';
import { type MediumNames, mediumLabels, mediumNames, mediumPaths } from '../../machine/medium-names.ts';
import { layMedium, type MediumWish } from '../../machine/medium-table.ts';
import { renderImagerMenu, renderKeyMenu } from '../../netboot/key-menu.ts';
import { renderIsoScript } from '../../netboot/key-script.ts';
import type { DiskFile } from '../../system/disk-file.ts';
import { makeIsoPartition } from '../../system/iso-partition.ts';
import { embedGrub, writeMediumTable } from '../../system/medium-disk.ts';
import { findSignedBoot } from '../../system/signed-boot.ts';
import type { Context } from '../context.ts';
import { bootFiles, makeBootPrograms, startsUnderSecureBoot } from '../media/boot-programs.ts';
import { layFiles, writeFilesAsExt4 } from '../media/ext4-files.ts';
import { type ImagerParts, mediumTime, readImager } from '../media/imager-parts.ts';
import { findTargetDisk, withMediumTarget } from '../media/medium-target.ts';
import { bootWishes, volumeName, writeFat } from '../media/write-boot-disk.ts';

const mebibyte = 2 ** 20;
const defaultSize = 1024 * mebibyte;
const leastIsos = 64 * mebibyte;

/**
 * `imprint key create`: a key that starts ISO files, as the image of a disk or on the disk itself. The same inputs give the same image; a disk gets names of its
 * own, so that two keys in one machine are not confused. Errors: those of `keyCreate`, `io-failed`, `interrupted`.
 */
export async function createKey(context: Context, input: KeyCreateInput, task: Task): Promise<KeyCreateOutput> {
  const device = await findTargetDisk(context, input.target);
  const imager = input.imager ? await findImager(context) : undefined;
  const signed = await findSignedBoot();
  const memtest = await findMemtest();
  const time = mediumTime();
  const size = Math.floor((device?.size ?? input.size ?? defaultSize) / mebibyte) * mebibyte;
  const names = mediumNames([
    ...['key', String(size), String(input.persistence), input.server ?? '', ...(imager?.fingerprint ?? [])],
    ...(device === undefined ? [] : [randomUUID()]),
  ]);
  const volume = volumeName(names.volumeId('boot'));
  const programs = await task.part('make it boot', (part) =>
    makeBootPrograms(context.processes, volume, signed, part.signal),
  );
  const search = `--fs-uuid ${volume}`;
  const kernelTrusted = imager !== undefined && startsUnderSecureBoot(signed, imager.kernel);
  const entry = { id: names.id, search, images: [], kernelTrusted, ...(input.server && { server: input.server }) };
  const menu = renderKeyMenu({ search, memtest: memtest.length > 0, ...(imager && { imager: entry }) });
  const files: Record<string, Uint8Array> = {
    ...bootFiles(programs, menu),
    'boot/grub/iso.cfg': Buffer.from(renderIsoScript()),
    ...Object.fromEntries(memtest),
    ...(imager && { [mediumPaths.imagerMenu]: Buffer.from(renderImagerMenu(entry)), ...imagerFiles(imager, names) }),
  };
  const bytes = Object.values(files).reduce((sum, content) => sum + content.length + 4096, 0);
  const table = layKey(names, bootWishes(names, 'Imprint key', bytes), input.persistence, size);
  await withMediumTarget(context, { target: input.target, size, force: input.force }, task, async (disk) => {
    await task.part('write', async (part) => {
      await writeMediumTable(context.processes, disk, table, part.signal);
      const place = (number: number) => table.partitions.find((each) => each.number === number);
      const [bios, boot, isos, persistence] = [1, 2, 3, 4].map(place);
      if (bios === undefined || boot === undefined || isos === undefined)
        throw new RangeError('a key without its partitions');
      writeFat(disk, boot, { volumeId: names.volumeId('boot'), label: mediumLabels.boot, files, time });
      const where = {
        path: disk.path,
        start: isos.start,
        size: isos.size,
        uuid: names.uuid('isos'),
        label: mediumLabels.isos,
        time,
      };
      await makeIsoPartition(context.processes, where, part.signal);
      if (persistence !== undefined)
        await writePersistence(context, disk, { ...persistence, uuid: names.uuid('persistence'), time }, part);
      embedGrub(disk, bios, programs.bios);
    });
  });
  return {
    target: input.target,
    device: device !== undefined,
    bytes: size,
    id: names.id,
    room: table.partitions.find(({ number }) => number === 3)?.size ?? 0,
    persistence: input.persistence,
    imager: imager !== undefined,
    secureBoot: signed !== undefined,
    memtest: memtest.length > 0,
  };
}

/** The isos partition comes last, so that it can grow. */
function layKey(names: MediumNames, boot: MediumWish[], persistence: number, size: number) {
  const data = (number: number, name: string, wished: number | 'rest'): MediumWish => ({
    ...{ number, role: 'data', name, size: wished, uuid: names.uuid(`partition ${name}`) },
  });
  const wishes = [
    ...boot,
    ...(persistence === 0 ? [] : [data(4, mediumLabels.persistence, persistence)]),
    data(3, mediumLabels.isos, 'rest'),
  ];
  const tooSmall = (needed: string) =>
    new ImprintError('usage', {
      problem: `A key of ${formatBytes(size)} is too small${needed}.`,
      hint: 'Make it larger: --size 4G',
    });
  try {
    const table = layMedium(names.uuid('table'), wishes, size);
    if ((table.partitions.at(-1)?.size ?? 0) < leastIsos) throw tooSmall(' for any ISO file');
    return table;
  } catch (error) {
    throw error instanceof RangeError ? tooSmall(`: ${error.message}`) : error;
  }
}

/** What live-boot looks for: a file system of this label, and in it a list of what is kept. */
async function writePersistence(
  { processes }: Context,
  disk: DiskFile,
  place: { start: number; size: number; uuid: string; time: number },
  task: Task,
): Promise<void> {
  const content = Buffer.from('/ union\n');
  const files = layFiles([{ path: 'persistence.conf', source: content, size: content.length }], place.time);
  const inodes = Math.ceil(place.size / 16_384);
  const where = { ...place, label: mediumLabels.persistence, inodes };
  await writeFilesAsExt4(processes, disk, where, files, task);
}

function imagerFiles(imager: ImagerParts, { id }: MediumNames): Record<string, Uint8Array> {
  return {
    [mediumPaths.kernel]: imager.kernel,
    [mediumPaths.initrd]: imager.initrd,
    [mediumPaths.record]: Buffer.from(`${JSON.stringify({ format: 1, id, images: [] })}\n`),
    [mediumPaths.settings]: Buffer.from(renderLocalTemplate()),
  };
}

/** Where the imager was not built, a key is a key all the same. */
async function findImager(context: Context): Promise<ImagerParts | undefined> {
  return readImager(context).catch((error) => {
    if (toImprintError(error).code === 'imager-unbuilt') return undefined;
    throw error;
  });
}

/** The memory test of this machine's distribution (package memtest86+). */
async function findMemtest(): Promise<[path: string, content: Uint8Array][]> {
  const pairs = [
    ['imprint/memtest.bin', '/boot/memtest86+x64.bin'],
    ['imprint/memtest.efi', '/boot/memtest86+x64.efi'],
  ] as const;
  const found: [string, Uint8Array][] = [];
  for (const [path, source] of pairs) {
    const content = await readFile(source).catch(() => undefined);
    if (content !== undefined) found.push([path, content]);
  }
  return found.length === pairs.length ? found : [];
}
