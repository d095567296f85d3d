import { execFileSync } from 'node:child_process';
import { linkSync, mkdirSync, mkdtempSync, readdirSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type BootRoot, bootArguments, type InitramfsKind } from '../../src/machine/boot-arguments.ts';
import type { RootFileSystem } from '../../src/machine/root-file-system.ts';
import { buildBootAddition } from '../../src/netboot/boot-addition.ts';
import { detectInitramfs } from '../../src/netboot/detect-initramfs.ts';
import { directBoot } from '../lab/direct-boot.ts';
import { type Golden, goldenMachine } from '../lab/golden.ts';
import { type Mounted, mountFile } from '../lab/partition-file.ts';
import { fillTinyRoot, packTree, readReport } from '../lab/tiny-root.ts';

const host = '11111111-2222-4333-8444-555555555555';
const root = '22222222-2222-4333-8444-555555555555';
const good = 'a'.repeat(64);
const words = ['init=/report', 'imprint.slot=file-aaaaaaaaaaaa', 'imprint.seq=3', 'imprint.boot=none'];
const directory = mkdtempSync(join(tmpdir(), 'imprint-addition-'));

interface Maker {
  golden: Golden;
  tree: Mounted;
  kernel: string;
}
const makers = new Map<InitramfsKind, Maker>();

beforeAll(async () => {
  for (const initramfs of ['initramfs-tools', 'dracut'] as const) {
    const golden = await (initramfs === 'dracut' ? goldenMachine({ suite: 'bookworm', initramfs }) : goldenMachine());
    const tree = await mountFile(golden.disk, { from: 2 << 20, to: 2046 << 20 }, ['ro', 'noload']);
    makers.set(initramfs, { golden, tree, kernel: readdirSync(join(tree.path, 'usr/lib/modules'))[0] ?? '' });
  }
}, 400_000);

afterAll(async () => {
  for (const { tree } of makers.values()) await tree[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true, force: true });
});

/** Boots with the addition, and reads what the root says of itself. */
async function boot(
  initramfs: InitramfsKind,
  disk: string,
  where: BootRoot,
  more: string[],
  fileSystem?: RootFileSystem,
) {
  const maker = makers.get(initramfs);
  if (maker === undefined) throw new Error(`no golden machine with ${initramfs}`);
  const addition = await buildBootAddition({
    ...{ root: maker.tree.path, kernelVersion: maker.kernel, initramfs, purpose: where.purpose },
    ...(fileSystem !== undefined && { hostFileSystem: fileSystem }),
  });
  const options = bootArguments({ root: where, initramfs, trialSeconds: 25, options: [] });
  const console = await directBoot({
    ...{ directory, kernel: maker.golden.kernel, initrds: [maker.golden.initrd, addition] },
    ...{ words: [...options, ...words, ...more], disks: [disk], timeout: 240_000 },
  });
  return { console, report: readReport(console) };
}

/** A host partition with the good image, and whatever `files` has beside it. */
function makeHost(fileSystem: RootFileSystem, dropped = false): string {
  const disk = join(directory, `host-${fileSystem}.raw`);
  const at = join(directory, 'host');
  execFileSync('truncate', ['-s', '600M', disk]);
  const id = fileSystem === 'xfs' ? ['-m', `uuid=${host}`] : ['-U', host];
  execFileSync(`mkfs.${fileSystem}`, ['-q', fileSystem === 'ext4' ? '-F' : '-f', ...id, disk]);
  mkdirSync(at, { recursive: true });
  execFileSync('mount', ['-o', 'loop', disk, at]);
  try {
    for (const name of ['images', 'data']) mkdirSync(join(at, name));
    writeFileSync(join(at, 'data/kept'), 'kept\n');
    const own = {
      'etc/hostname': 'web01\n',
      'etc/ssh/ssh_host_rsa_key': 'own\n',
      'etc/fstab': 'UUID=1 / ext4\nUUID=2 /boot/loader vfat\n',
    };
    makeImage(join(at, `images/${good}.img`), own);
    execFileSync('ln', ['-s', `images/${good}.img`, join(at, 'hn-root.img')]);
    const others = {
      'etc/hostname': 'golden\n',
      'etc/ssh/ssh_host_ecdsa_key': 'golden\n',
      'etc/fstab': 'UUID=3 / ext4\nUUID=4 /srv ext4\nUUID=5 none swap\n',
    };
    if (dropped) makeImage(join(at, 'hn-root-new.img'), others);
  } finally {
    execFileSync('umount', [at]);
  }
  return disk;
}

function makeImage(file: string, files: Record<string, string>): void {
  const tree = mkdtempSync(join(directory, 'tree-'));
  fillTinyRoot(tree, files);
  packTree(tree, file, 24, '33333333-2222-4333-8444-555555555555');
  rmSync(tree, { recursive: true });
}

/** A root in the middle of an in-place update: what is gone in the new version is gone already, what is new is half there. */
function makeUpdatedRoot(): string {
  const tree = mkdtempSync(join(directory, 'tree-'));
  fillTinyRoot(tree, { 'etc/hostname': 'old\n', 'etc/gone': '' });
  const update = join(tree, '.imprint/in-place/update-1');
  for (const name of ['new/etc', 'old/etc', 'tmp']) mkdirSync(join(update, name), { recursive: true });
  for (const name of ['hostname', 'gone']) linkSync(join(tree, 'etc', name), join(update, 'old/etc', name));
  writeFileSync(join(update, 'new/etc/hostname'), 'new\n');
  writeFileSync(join(update, 'new/etc/added'), '');
  writeFileSync(join(update, 'new/etc/later'), '');
  unlinkSync(join(tree, 'etc/gone'));
  linkSync(join(update, 'new/etc/added'), join(tree, 'etc/added'));
  const lines = ['f etc/added', 'f etc/gone', 'f etc/hostname', 'f etc/later', 'd etc'];
  writeFileSync(join(update, 'journal'), `imprint in-place 1\nid update-1\n${lines.join('\n')}\nend ${lines.length}\n`);
  writeFileSync(join(update, 'state'), 'redoing\n');
  const disk = join(directory, 'root.raw');
  packTree(tree, disk, 32, root);
  rmSync(tree, { recursive: true });
  return disk;
}

const image = { purpose: 'file', host, image: good } as const;
const dropped = { purpose: 'file', host, image: 'hn-root-new.img' } as const;

test('what made an initrd is seen in it', async () => {
  for (const [initramfs, { golden }] of makers) {
    const facts = await detectInitramfs('/', golden.initrd);
    expect(facts?.kind).toBe(initramfs);
    expect(facts?.modules).toContain('virtio_blk');
  }
});

describe.each([
  ['initramfs-tools', 'ext4'],
  ['initramfs-tools', 'xfs'],
  ['dracut', 'btrfs'],
] as const)('%s mounts an image file on %s', (initramfs, fileSystem) => {
  test('as the root, with the host partition in it', { timeout: 300_000 }, async () => {
    const { report, console } = await boot(initramfs, makeHost(fileSystem), image, ['imprint.kind=good'], fileSystem);
    expect(report, console.slice(-3000)).toMatchObject({
      root: expect.stringMatching(/^\/dev\/loop0 \/ ext4 ro/),
      host: expect.stringContaining(`/dev/vda /hostpart ${fileSystem} rw`),
      image: `/hostpart/images/${good}.img`,
      ...{ name: 'web01', keys: 'own', data: 'kept', guard: '0' },
      units: 'imprint-agentless.service imprint-checkpoint.service sysinit.target.wants',
    });
  });
});

test('a dropped image becomes this machine', { timeout: 300_000 }, async () => {
  const trial = ['imprint.kind=new', 'imprint.try=2'];
  const { report, console } = await boot('initramfs-tools', makeHost('xfs', true), dropped, trial, 'xfs');
  expect(report, console.slice(-3000)).toMatchObject({
    ...{ image: '/hostpart/hn-root-new.img', name: 'web01', keys: 'own', mark: `${host} 0`, fstab: '2', guard: '1' },
    units: expect.stringContaining('imprint-trial.service imprint-trial.timer'),
  });
});

test.each([
  ['initramfs-tools', 'init that does nothing', ['report.wait'], /REPORT-BEGIN[\s\S]*sysrq: Resetting/],
  ['dracut', 'init that does nothing', ['report.wait'], /REPORT-BEGIN[\s\S]*sysrq: Resetting/],
  [
    'initramfs-tools',
    'missing image file',
    ['imprint.image=images/none.img'],
    /There is no images\/none\.img[\s\S]*sysrq: Resetting/,
  ],
] as const)(
  'with %s a trial with an %s restarts by itself',
  { timeout: 300_000 },
  async (initramfs, _what, more, expected) => {
    const trial = ['imprint.kind=trial', 'imprint.try=2', ...more];
    const { console } = await boot(initramfs, makeHost('ext4'), image, trial, 'ext4');
    expect(console).toMatch(expected);
    expect(console).not.toContain('REPORT-END');
  },
);

describe.each([
  ['initramfs-tools', 'redo', { state: 'new', name: 'new', etc: 'added hostname later os-release' }],
  ['initramfs-tools', 'undo', { state: 'old', name: 'old', etc: 'gone hostname os-release' }],
  ['dracut', 'undo', { state: 'old', name: 'old', etc: 'gone hostname os-release' }],
] as const)('with %s, an in-place update that was cut', (initramfs, direction, expected) => {
  test(`is ended by ${direction} before anything of the root runs`, { timeout: 300_000 }, async () => {
    const where = { purpose: 'in-place', uuid: root, journal: { direction, id: 'update-1' } } as const;
    const { report, console } = await boot(initramfs, makeUpdatedRoot(), where, ['imprint.kind=good']);
    expect(report, console.slice(-3000)).toMatchObject({
      ...expected,
      root: expect.stringMatching(/^\/dev\/vda \/ ext4 ro/),
    });
  });
});
