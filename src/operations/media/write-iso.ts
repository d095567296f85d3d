import { mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { IsoMediaInput, IsoMediaOutput } from '../../contract/operations/media.ts';
import type { Task } from '../../foundation/task.ts';
import { buildFat32 } from '../../image/fat32.ts';
import { mediumLabels, mediumPaths } from '../../machine/medium-names.ts';
import { DiskFile } from '../../system/disk-file.ts';
import { makeIsoImage } from '../../system/iso-image.ts';
import type { Context } from '../context.ts';
import { writingBeside } from '../export-target.ts';
import { bootFiles, fatTree, makeIsoBootPrograms } from './boot-programs.ts';
import { gatherImagerContent, type ImagerContent } from './imager-content.ts';
import { mediumTime } from './imager-parts.ts';
import type { MakeLiveImager } from './live-imager.ts';

/** The least that is FAT32. */
const efiSize = 40 * 2 ** 20;

/**
 * `imprint media iso`: the same medium as an ISO file, for optical drives, management controllers and virtual machines, which starts from a stick as well. Same inputs, same bytes.
 *
 * Errors: those of `isoMedia`, `io-failed`, `interrupted`.
 */
export async function writeIsoMedium(
  context: Context,
  input: IsoMediaInput,
  task: Task,
  makeLive?: MakeLiveImager,
): Promise<IsoMediaOutput> {
  await using content = await gatherImagerContent(context, 'iso', input, task, makeLive);
  const work = await mkdtemp(join(tmpdir(), 'imprint-iso-'));
  try {
    const parts = await task.part('make it boot', (part) => prepareParts(context, content, work, part));
    const { target, force } = input;
    await writingBeside(target, 'file', force, task.signal, (path) =>
      task.part('write', (part) => makeIsoImage(context.processes, { path, ...parts }, part.signal)),
    );
    return { target, bytes: (await stat(target)).size, ...content.output };
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** Everything that xorriso needs, as files. */
async function prepareParts({ processes }: Context, content: ImagerContent, work: string, task: Task) {
  const { names, signed, store } = content;
  const time = mediumTime();
  // No file system of an ISO can be named beforehand: a file that only this medium has is looked for.
  const mark = `imprint/${names.id}`;
  const programs = await makeIsoBootPrograms(processes, `/${mark}`, signed, task.signal);
  const menu = content.menu(`--file /${mark}`);
  const files: Record<string, Uint8Array> = {
    ...content.files(),
    [mediumPaths.menu]: Buffer.from(menu),
    [mark]: Buffer.from(`${names.id}\n`),
    '.disk/info': Buffer.from('Imprint\n'),
    'boot/grub/eltorito.img': programs.bios.core,
  };
  const sources: { path: string; source: string }[] = [];
  for (const [path, bytes] of Object.entries(files)) {
    const source = join(work, 'files', path);
    await mkdir(dirname(source), { recursive: true });
    await writeFile(source, bytes);
    sources.push({ path, source });
  }
  for (const { path, source } of store?.files ?? []) {
    const file = typeof source === 'string' ? source : join(work, 'files', path);
    if (typeof source !== 'string') {
      await mkdir(dirname(file), { recursive: true });
      await writeFile(file, source);
    }
    sources.push({ path, source: file });
  }
  const efi = join(work, 'efi.img');
  await writeFile(efi, '');
  const hint = `search --no-floppy --set=root --file /${mark}\nset prefix=($root)/boot/grub\nconfigfile $prefix/grub.cfg\n`;
  writeEfiImage(efi, names.volumeId('efi'), fatTree(bootFiles(programs, hint), { seconds: time, nanoseconds: 0 }));
  const hybrid = join(work, 'hybrid.img');
  await writeFile(hybrid, programs.bios.boot);
  return {
    volume: mediumLabels.boot,
    uuid: names.uuid('iso'),
    time,
    sources,
    eltorito: 'boot/grub/eltorito.img',
    efi,
    hybrid,
  };
}

/** The file system that UEFI starts from. */
function writeEfiImage(path: string, volumeId: string, root: ReturnType<typeof fatTree>): void {
  using disk = new DiskFile(path);
  disk.resize(efiSize);
  for (const { offset, bytes } of buildFat32({ size: efiSize, volumeId, label: 'IMPRINT-EFI', root }))
    disk.write(offset, bytes);
}
