import { createHash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isoMediaInputSchema, type UsbMediaInput, usbMediaInputSchema } from '../../src/contract/operations/media.ts';
import { toImprintError } from '../../src/foundation/errors.ts';
import { Task } from '../../src/foundation/task.ts';
import { readLiveStart } from '../../src/machine/live-start.ts';
import { captureImage } from '../../src/operations/capture-image.ts';
import { type Context, createContext } from '../../src/operations/context.ts';
import { silentLog } from '../../src/operations/log.ts';
import type { MakeLiveImager } from '../../src/operations/media/live-imager.ts';
import { writeIsoMedium } from '../../src/operations/media/write-iso.ts';
import { writeUsbMedium } from '../../src/operations/media/write-usb.ts';
import { verifyImage } from '../../src/operations/verify-image.ts';
import { systemProcesses } from '../../src/system/run.ts';
import { makeGoldenTree } from './install-tree.ts';

const { run } = systemProcesses;
let work: string;
let context: Context;
/** Stand for the imager's kernel and initial RAM disk, and for those of a live system's. */
const kernel = randomBytes(300_000);
const initrd = randomBytes(3_000_000);
const liveKernel = randomBytes(200_000);
const liveInitrd = randomBytes(2_000_000);
const makeLive: MakeLiveImager = async (_, { reference, form }) => ({
  kernel: liveKernel,
  initrd: liveInitrd,
  fingerprint: [reference],
  warnings: [`as ${form}`],
});

beforeAll(async () => {
  work = await mkdtemp(join(tmpdir(), 'imprint-media-test-'));
  context = createContext({ data: join(work, 'data'), log: silentLog });
  await mkdir(context.paths.netboot, { recursive: true });
  await writeFile(join(context.paths.netboot, 'vmlinuz'), kernel);
  await writeFile(join(context.paths.netboot, 'initrd.img'), initrd);
  await makeGoldenTree(join(work, 'golden'));
  const whole = { noDefaultExcludes: true, keepSecrets: true };
  await captureImage(context, { source: join(work, 'golden'), name: 'web', ...whole }, Task.silent());
});
afterAll(async () => {
  await context[Symbol.asyncDispose]();
  await rm(work, { recursive: true, force: true });
});

function usb(name: string, more: Partial<UsbMediaInput> = {}) {
  const input = usbMediaInputSchema.parse({ target: join(work, name), ...more });
  return writeUsbMedium(context, input, Task.silent(), makeLive);
}

/** The kernel's words of each entry of a menu, by its title, in their order. */
function entriesOf(menu: string): [string, string[]][] {
  return [...menu.matchAll(/^menuentry (?:'([^']+)'|(\S+)) \{\n(?:(?!\}).*\n)*? {2}linux \S+ (.*)$/gm)].map(
    ([, quoted, plain, words = '']) => [quoted ?? plain ?? '', words.split(' ')],
  );
}

async function hashOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const piece of createReadStream(path)) hash.update(piece);
  return hash.digest('hex');
}

interface Partition {
  start: number;
  size: number;
  type: string;
  name: string;
}

/** As sfdisk reads it, in bytes. */
async function table(file: string): Promise<Partition[]> {
  const { stdout } = await run('sfdisk', ['--json', join(work, file)]);
  const { partitions } = JSON.parse(stdout).partitiontable as { partitions: Partition[] };
  return partitions.map((each) => ({ ...each, start: each.start * 512, size: each.size * 512 }));
}

/** A file of the FAT file system, as mtools reads it. */
async function fatFile(image: string, path: string): Promise<Buffer> {
  const copy = join(work, 'copy');
  await run('mcopy', ['-n', '-o', '-i', `${join(work, image)}@@2M`, `::/${path}`, copy]);
  return readFile(copy);
}

describe('media usb', () => {
  it('makes a medium that firmware of both kinds finds its way on', async () => {
    const output = await usb('plain.img', { server: 'http://10.9.8.7:4280' });
    const partitions = await table('plain.img');
    expect(partitions.map(({ name }) => name)).toEqual(['BIOS boot', 'Imprint']);
    expect(output.bytes).toBe((partitions[1]?.start ?? 0) + (partitions[1]?.size ?? 0) + 2 ** 20);
    // BIOS: the code knows the sector of the core, and the core where it goes on.
    const image = await readFile(join(work, 'plain.img'));
    expect(image.readBigUInt64LE(0x5c)).toBe(2048n);
    expect(image.readBigUInt64LE(2048 * 512 + 0x1f4)).toBe(2049n);
    // UEFI.
    const loader = await fatFile('plain.img', 'EFI/BOOT/BOOTX64.EFI');
    expect(loader.toString('latin1', 0, 2)).toBe('MZ');
    expect((await fatFile('plain.img', 'imprint/vmlinuz')).equals(kernel)).toBe(true);
    expect((await fatFile('plain.img', 'imprint/initrd.img')).equals(initrd)).toBe(true);
    const menu = await fatFile('plain.img', 'boot/grub/grub.cfg');
    expect(menu.toString()).toContain(`imprint.medium=${output.id} imprint.server=http://10.9.8.7:4280`);
    await run('grub-script-check', [join(work, 'copy')]);
    // The stand-in is signed by nobody, which is said.
    expect(output.secureBoot).toBe(false);
    expect(output.warnings.join()).toContain('Secure Boot');
    await run('dd', [`if=${join(work, 'plain.img')}`, `of=${join(work, 'fat')}`, 'bs=1M', 'skip=2', 'count=40']);
    await run('fsck.vfat', ['-n', join(work, 'fat')]);
  });

  it('carries a whole version, from which the same tree comes out', async () => {
    const output = await usb('whole.img', { images: ['web'] });
    expect(output.images.map(({ image }) => image)).toEqual(['web:1']);
    const [, , data] = await table('whole.img');
    const part = join(work, 'store.ext4');
    const blocks = [`skip=${(data?.start ?? 0) / 2 ** 20}`, `count=${(data?.size ?? 0) / 2 ** 20}`];
    await run('dd', [`if=${join(work, 'whole.img')}`, `of=${part}`, 'bs=1M', ...blocks]);
    await run('e2fsck', ['-f', '-n', part]);
    expect((await run('dumpe2fs', ['-h', part])).stdout).toContain('Filesystem volume name:   IMPRINT-STORE');
    await run('debugfs', ['-R', `rdump /store ${work}`, part]);
    const other = createContext({ data: join(work, 'data'), store: join(work, 'store'), log: silentLog });
    const differences: unknown[] = [];
    const question = { reference: 'web', directory: join(work, 'golden') };
    await verifyImage(other, question, Task.silent(), (difference) => differences.push(difference));
    await other[Symbol.asyncDispose]();
    expect(differences).toEqual([]);
  });

  it('makes the same bytes of the same content, and others of other settings', async () => {
    await usb('first.img', { images: ['web'] });
    await usb('second.img', { images: ['web'] });
    expect(await hashOf(join(work, 'second.img'))).toBe(await hashOf(join(work, 'first.img')));
    const other = await usb('third.img', { images: ['web'], localConfig: 'HOSTNAME=web01\n' });
    expect(other.id).not.toBe((await usb('fourth.img', { images: ['web'] })).id);
    expect((await fatFile('third.img', 'local.cfg')).toString()).toBe('HOSTNAME=web01\n');
  });

  it('makes the same as an ISO that starts on both firmwares, and from a stick', async () => {
    const make = (name: string) =>
      writeIsoMedium(context, isoMediaInputSchema.parse({ target: join(work, name), images: ['web'] }), Task.silent());
    const output = await make('one.iso');
    await make('two.iso');
    expect(await hashOf(join(work, 'two.iso'))).toBe(await hashOf(join(work, 'one.iso')));
    const report = [
      '-report_about',
      'SORRY',
      '-indev',
      join(work, 'one.iso'),
      '-pvd_info',
      '-report_el_torito',
      'plain',
    ];
    const { stdout } = await run('xorriso', report);
    expect(stdout).toMatch(/^Volume Id +: IMPRINT$/m);
    expect(stdout).toMatch(/boot img : +1 +BIOS +y +none/);
    expect(stdout).toMatch(/boot img : +2 +UEFI +y +none/);
    // What it looks like on a stick.
    const partitions = await table('one.iso');
    expect(partitions.map(({ type }) => type)).toContain('C12A7328-F81F-11D2-BA4B-00A0C93EC93B');
    const efi = partitions.find(({ type }) => type.startsWith('C12A7328'))?.start ?? 0;
    const copy = join(work, 'grub.cfg');
    await run('mcopy', ['-n', '-o', '-i', `${join(work, 'one.iso')}@@${efi}`, '::/boot/grub/grub.cfg', copy]);
    expect(await readFile(copy, 'utf8')).toContain(`--file /imprint/${output.id}`);
    const tree = join(work, 'iso');
    await run('xorriso', ['-osirrox', 'on', '-indev', join(work, 'one.iso'), '-extract', '/', tree]);
    expect((await readFile(join(tree, 'imprint/vmlinuz'))).equals(kernel)).toBe(true);
    await run('grub-script-check', [join(tree, 'boot/grub/grub.cfg')]);
    const other = createContext({ data: join(work, 'data'), store: join(tree, 'store'), log: silentLog });
    const differences: unknown[] = [];
    const question = { reference: 'web', directory: join(work, 'golden') };
    await verifyImage(other, question, Task.silent(), (difference) => differences.push(difference));
    await other[Symbol.asyncDispose]();
    expect(differences).toEqual([]);
    await run('chmod', ['-R', 'u+w', tree]);
  });

  it('starts a version live from the medium, or from memory, with that version’s own kernel', async () => {
    const output = await usb('live.img', { images: ['web'], live: true, server: 'http://10.9.8.7:4280' });
    expect(output.live).toBe('web:1');
    expect(output.warnings).toContain('as usb');
    expect((await fatFile('live.img', 'imprint/vmlinuz')).equals(liveKernel)).toBe(true);
    expect((await fatFile('live.img', 'imprint/initrd.img')).equals(liveInitrd)).toBe(true);
    const menu = (await fatFile('live.img', 'boot/grub/grub.cfg')).toString();
    await run('grub-script-check', [join(work, 'copy')]);
    const [disk, memory, install] = entriesOf(menu);
    expect(disk?.[0]).toBe('Start web:1, live');
    expect(memory?.[0]).toContain('from memory: the medium can be taken out');
    expect(install?.[0]).toBe('Install this machine (web:1)');
    expect(install?.[1].join()).not.toContain('imprint.live');
    for (const [entry, toram] of [
      [disk, false],
      [memory, true],
    ] as const) {
      expect(readLiveStart(entry?.[1].join(' ') ?? '')).toEqual({
        ...{ kind: 'medium', medium: output.id, image: 'web:1', toram },
      });
      expect(entry?.[1]).toEqual(
        expect.arrayContaining(['console=tty0', 'console=ttyS0,115200', 'imprint.server=http://10.9.8.7:4280']),
      );
    }
    // The first one starts by itself, and the same on both firmwares: what UEFI loads and what BIOS loads read this menu.
    expect(menu).toContain('set default=0');
    expect((await usb('plain-image.img', { images: ['web'] })).id).not.toBe(output.id);
  });

  it('starts it live from an ISO, too, whose one menu both firmwares read', async () => {
    const input = isoMediaInputSchema.parse({ target: join(work, 'live.iso'), images: ['web'], live: true });
    const output = await writeIsoMedium(context, input, Task.silent(), makeLive);
    const tree = join(work, 'live-iso');
    await run('xorriso', ['-osirrox', 'on', '-indev', join(work, 'live.iso'), '-extract', '/', tree]);
    const menu = await readFile(join(tree, 'boot/grub/grub.cfg'), 'utf8');
    await run('grub-script-check', [join(tree, 'boot/grub/grub.cfg')]);
    expect(entriesOf(menu).map(([title]) => title)[0]).toBe('Start web:1, live');
    expect(readLiveStart(entriesOf(menu)[1]?.[1].join(' ') ?? '')).toMatchObject({ toram: true, medium: output.id });
    expect((await readFile(join(tree, 'imprint/vmlinuz'))).equals(liveKernel)).toBe(true);
    await run('chmod', ['-R', 'u+w', tree]);
  });

  it('refuses before it writes', async () => {
    const codes = async (more: Partial<UsbMediaInput>, name = 'never.img') =>
      usb(name, more).then(
        () => 'made',
        (error) => toImprintError(error).code,
      );
    expect(await codes({ images: ['nothing'] })).toBe('image-not-found');
    expect(await codes({ localConfig: 'IPADR=10.0.0.1' })).toBe('local-config-wrong');
    expect(await codes({ live: true })).toBe('input-invalid');
    // No stand-in: the tree has a kernel, but none of its drivers.
    const input = usbMediaInputSchema.parse({ target: join(work, 'never.img'), images: ['web'], live: true });
    const made = writeUsbMedium(context, input, Task.silent());
    await expect(made).rejects.toThrow('the kernel of web:1 cannot drive it: it has no modules for its kernel');
    expect(await codes({}, 'plain.img')).toBe('target-exists');
    expect(await codes({}, 'no/such/place.img')).toBe('directory-not-found');
    // A typing error, or a stick that is not in: no file of that name.
    expect(await codes({ target: '/dev/no-such-stick' })).toBe('device-refused');
    await expect(stat('/dev/no-such-stick')).rejects.toThrow('ENOENT');
    const record = join(context.paths.netboot, 'imager.json');
    await writeFile(record, '{"format":1,"key":"0000000000000000"}');
    expect(await codes({})).toBe('imager-unbuilt');
    await rm(record);
    await rm(join(context.paths.netboot, 'vmlinuz'));
    expect(await codes({})).toBe('imager-unbuilt');
    await writeFile(join(context.paths.netboot, 'vmlinuz'), kernel);
  });
});
