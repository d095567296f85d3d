import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, it } from 'vitest';
import { isoFamilies } from '../../src/netboot/iso-families.ts';
import { renderDetection, renderEntry, renderIsoScript } from '../../src/netboot/key-script.ts';
import { lookAtIso } from '../../src/operations/keys/look-at-iso.ts';
import { systemProcesses } from '../../src/system/run.ts';
import { isoListings } from '../fixtures/iso-listings.ts';

const { run } = systemProcesses;

/** An ISO with empty files of these names, made as distributions make theirs. */
async function makeIso(work: string, target: string, volume: string, paths: readonly string[]): Promise<void> {
  const tree = join(work, 'tree');
  await rm(tree, { recursive: true, force: true });
  for (const path of paths) {
    await mkdir(join(tree, dirname(path)), { recursive: true });
    await writeFile(join(tree, path), path);
  }
  await run('xorriso', ['-as', 'mkisofs', '-quiet', '-R', '-J', '-V', volume.slice(0, 32), '-o', target, tree]);
}

/** GRUB as a program of this machine runs a script, with a disk that has these files on its only file system. */
async function grubRuns(work: string, files: string, script: string): Promise<string> {
  const disk = join(work, 'disk.img');
  await run('mke2fs', [
    '-q',
    '-F',
    '-t',
    'ext4',
    '-L',
    'isos',
    '-U',
    '00000000-0000-4000-8000-0000000000aa',
    '-d',
    files,
    disk,
    '64M',
  ]);
  const directory = join(work, 'grub');
  await mkdir(directory);
  await writeFile(join(work, 'device.map'), `(hd0) ${disk}\n`);
  await writeFile(join(directory, 'grub.cfg'), script);
  const options = { timeout: 120_000, env: { TERM: 'dumb' } };
  return (await run('grub-emu', ['-m', join(work, 'device.map'), '-d', directory], options)).stdout;
}

it('knows in GRUB what is known here, and starts what it should, in every family', async () => {
  const work = await mkdtemp(join(tmpdir(), 'imprint-iso-test-'));
  try {
    const files = join(work, 'files');
    await mkdir(files);
    for (const { name, volume, paths } of isoListings) await makeIso(work, join(files, `${name}.iso`), volume, paths);
    for (const { name, family, volume } of isoListings) {
      const bytes = await readFile(join(files, `${name}.iso`));
      const look = lookAtIso((position, length) => bytes.subarray(position, position + length), []);
      expect([look.family, look.volume], name).toEqual([family, volume.slice(0, 32)]);
    }
    const blocks = isoListings.flatMap(({ name, family }) => {
      const [entry] = isoFamilies.find(({ id }) => id === family)?.entries ?? [];
      return [
        `set iso_path=/${name}.iso`,
        ...renderDetection(),
        `echo "FAMILY ${name} = $family."`,
        ...(entry?.kind === 'linux' ? renderEntry(entry) : []),
      ];
    });
    const script = [
      'for module in ext2 iso9660 loopback regexp probe test echo search true sleep; do insmod $module; done',
      // No such commands in the emulator: these stand for them.
      'function linux { echo "KERNEL $1 END"; set words=; while [ -n "$2" ]; do set words="$words $2"; shift; done; echo "OPTIONS$words END"; }',
      'function initrd { set words=; while [ -n "$1" ]; do set words="$words $1"; shift; done; echo "INITRDS$words END"; }',
      'set isos=hd0',
      ...blocks,
      'echo ALL-DONE',
      'exit',
    ].join('\n');
    const said = await grubRuns(work, files, script);
    expect(said).toContain('ALL-DONE');
    const parts = said.split('FAMILY ').slice(1);
    expect(parts.length).toBe(isoListings.length);
    for (const [index, { name, family, kernel, initrds = [] }] of isoListings.entries()) {
      const part = (parts[index] ?? '').replaceAll(/\s+/g, ' ');
      expect(part, name).toMatch(new RegExp(`^${name.replaceAll('+', '\\+')} = ${family ?? ''}\\.`));
      if (kernel === undefined) continue;
      expect(part, name).toContain(`KERNEL (loop)${kernel} END`);
      expect(part, name).toContain(`INITRDS ${initrds.map((path) => `(loop)${path}`).join(' ')}`);
      expect(part, name).toMatch(/OPTIONS .*\.iso|proxmox/);
      expect(part, name).not.toMatch(/\$(iso|uuid|label|isouuid)/);
    }
  } finally {
    await rm(work, { recursive: true, force: true });
  }
});

it('is script that GRUB reads', async () => {
  const work = await mkdtemp(join(tmpdir(), 'imprint-iso-test-'));
  try {
    await writeFile(join(work, 'iso.cfg'), renderIsoScript());
    await run('grub-script-check', [join(work, 'iso.cfg')]);
  } finally {
    await rm(work, { recursive: true });
  }
});
