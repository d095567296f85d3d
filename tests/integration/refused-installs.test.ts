import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { boot } from '../solved-layout.ts';
import { bareMac, bareMachine, captureInto, until } from './bare-machine.ts';
import { mebibyte, read, run, write } from './boot-disk-image.ts';
import { makeGoldenTree } from './install-tree.ts';
import { type LoopDisk, loopDisk } from './loop-disk.ts';
import { type RunningServer, startServer } from './server-harness.ts';

const root = '{ name: root, role: root, min: 1G }';
const data = '{ name: data, role: data, min: 256M, keep: true, fileSystem: { type: ext4, label: data, mount: /data } }';
const linux = (more: string) => `disks: [{ name: d, partitions: [${boot}, ${more}], erase: [linux] }]`;
const windowsType = 'EBD0A0A2-B9E5-4433-87C0-68B6B72699C7';
const recoveryType = 'DE94BBA4-06D1-4D40-A16A-BFD50179D6AC';

interface Refusal {
  /** What is on the disk. */
  says: string;
  prepare(disk: LoopDisk): void | Promise<void>;
  /** A layout of one's own. */
  layout?: string;
  options?: object;
  code: string;
  /** Of the command's message, and of what it says to do. */
  message: RegExp;
  hint: RegExp;
}

function divide({ device }: LoopDisk, ...lines: string[]): void {
  run('sfdisk', ['--quiet', '--no-reread', '--no-tell-kernel', device], `label: gpt\n${lines.join('\n')}\n`);
  run('partx', ['--add', device]);
}

/** As Windows leaves it, so far as its first sector tells. */
async function ntfs(device: string): Promise<void> {
  const sector = Buffer.alloc(512);
  sector.write('\xeb\x52\x90NTFS    ', 0, 'latin1');
  sector.writeUInt16LE(512, 11);
  sector.writeUInt8(8, 13);
  sector.writeUInt8(0xf8, 21);
  sector.writeBigUInt64LE(131_071n, 40);
  sector.writeBigUInt64LE(4n, 48);
  sector.writeBigUInt64LE(8n, 56);
  sector.writeInt8(-10, 64);
  sector.writeInt8(1, 68);
  sector.writeUInt16LE(0xaa55, 510);
  await write(device, 0, sector);
  const table = Buffer.alloc(4096);
  table.write('FILE', 0, 'latin1');
  await write(device, 4 * 4096, table);
  await write(device, 4 * 4096 + 3 * 1024, table);
}

/** The header of an array's member (version 1.2), as mdadm writes it. */
async function raidMember(device: string): Promise<void> {
  const header = Buffer.alloc(256 + 2 * 2);
  header.writeUInt32LE(0xa92b4efc, 0);
  header.writeUInt32LE(1, 4);
  header.write('0123456789abcdef', 16, 'latin1');
  header.write('host:0', 32, 'latin1');
  header.writeUInt32LE(1, 72);
  header.writeBigUInt64LE(1_000_000n, 80);
  header.writeUInt32LE(2, 92);
  header.writeBigUInt64LE(2048n, 128);
  header.writeBigUInt64LE(1_000_000n, 136);
  header.writeBigUInt64LE(8n, 144);
  header.writeUInt32LE(2, 220);
  header.writeUInt16LE(0, 256);
  header.writeUInt16LE(1, 258);
  let sum = 0n;
  for (let at = 0; at < header.length; at += 4) sum += BigInt(header.readUInt32LE(at));
  header.writeUInt32LE(Number(((sum & 0xffffffffn) + (sum >> 32n)) & 0xffffffffn), 216);
  await write(device, 4096, header);
}

const refusals: Refusal[] = [
  {
    says: 'a mounted disk',
    prepare: async ({ device, directory }) => {
      run('mke2fs', ['-q', '-F', '-t', 'ext4', device]);
      await mkdir(join(directory, 'mounted'));
      run('mount', ['-o', 'ro,noload', device, join(directory, 'mounted')]);
    },
    ...{ code: 'disk-in-use', message: /in use \(\S+ mounted on .*mounted\)/, hint: /umount, swapoff, mdadm --stop/ },
  },
  {
    says: 'no disk that the rule means',
    prepare: () => {},
    options: { disk: 'serial=NONE' },
    ...{ code: 'disk-none', message: /\(3 GiB, empty\) is not serial=NONE/, hint: /--disk RULE/ },
  },
  {
    says: 'a disk that is too small',
    prepare: ({ device, file }) => {
      run('truncate', ['-s', '1100M', file]);
      run('losetup', ['--set-capacity', device]);
    },
    options: { swap: 1024 * mebibyte },
    ...{ code: 'disk-too-small', message: /holds 1\.07 GiB; golden:1 needs at least/, hint: /larger disk/ },
  },
  {
    says: 'data that nobody allowed to be lost',
    prepare: (disk) => {
      divide(disk, 'size=2900M, type=L');
      run('mke2fs', ['-q', '-F', '-t', 'ext4', '-L', 'old', `${disk.device}p1`]);
    },
    layout: `disks: [{ name: d, partitions: [${boot}, ${root}] }]`,
    ...{ code: 'disk-holds-data', message: /p1 \(ext4 “old”, 2\.83 GiB\).*needed beside it/, hint: /erase: linux/ },
  },
  {
    says: 'Windows and its recovery, which stay',
    prepare: async (disk) => {
      divide(disk, `size=2500M, type=${windowsType}`, `size=400M, type=${recoveryType}`);
      await ntfs(`${disk.device}p1`);
      await ntfs(`${disk.device}p2`);
    },
    layout: linux(root),
    ...{
      code: 'disk-holds-data',
      message: /Windows \(ntfs\).*recovery \(ntfs\)/,
      hint: /erase: \[windows, recovery\]/,
    },
  },
  {
    says: 'LUKS',
    prepare: ({ device }) => write(device, 0, Buffer.from('LUKS\xba\xbe\x00\x01aes\0', 'latin1')),
    layout: linux(root),
    ...{ code: 'disk-holds-data', message: /crypto_LUKS on the whole disk/, hint: /erase: luks/ },
  },
  {
    says: 'a member of an array',
    prepare: async (disk) => {
      divide(disk, 'size=2900M, type=L');
      await raidMember(`${disk.device}p1`);
    },
    layout: linux(root),
    ...{ code: 'disk-holds-data', message: /RAID member/, hint: /erase: raid/ },
  },
  {
    says: 'a physical volume',
    prepare: ({ device }) => write(device, 0, gunzipSync(readFileSync(resolve('tests/fixtures/disks/pv.gz')))),
    layout: linux(root),
    ...{ code: 'disk-holds-data', message: /LVM2_member on the whole disk/, hint: /erase: lvm/ },
  },
  {
    says: 'LUKS, by a built-in layout',
    prepare: ({ device }) => write(device, 0, Buffer.from('LUKS\xba\xbe\x00\x01aes\0', 'latin1')),
    ...{ code: 'disk-erase-unsaid', message: /\(LUKS, 3 GiB\)/, hint: /machine set \S+ --erase luks;/ },
  },
  {
    says: 'Windows and its recovery, by a built-in layout that may erase the one',
    prepare: async (disk) => {
      divide(disk, `size=2500M, type=${windowsType}`, `size=400M, type=${recoveryType}`);
      await ntfs(`${disk.device}p1`);
      await ntfs(`${disk.device}p2`);
    },
    options: { erase: 'windows' },
    ...{ code: 'disk-erase-unsaid', message: /: \S+p2 \(recovery \(ntfs\)/, hint: /--erase windows,recovery;/ },
  },
  {
    says: 'a physical volume, by a built-in layout',
    prepare: ({ device }) => write(device, 0, gunzipSync(readFileSync(resolve('tests/fixtures/disks/pv.gz')))),
    ...{ code: 'disk-erase-unsaid', message: /LVM physical volume/, hint: /--erase lvm;/ },
  },
  {
    says: 'two partitions that could be the one that is to be kept',
    prepare: (disk) => {
      divide(disk, 'size=500M, type=L', 'size=500M, type=L');
      for (const number of [1, 2]) run('mke2fs', ['-q', '-F', '-t', 'ext4', '-L', 'data', `${disk.device}p${number}`]);
    },
    layout: linux(`${root}, ${data}`),
    ...{
      code: 'layout-unsolvable',
      message: /p1 and \S+p2 could both be data/,
      hint: /keep: uuid=… or keep: number=…/,
    },
  },
];

describe.skipIf(process.getuid?.() !== 0)('an install is refused, with what to do, and no byte is written', () => {
  let server: RunningServer;
  let golden: LoopDisk;

  beforeAll(async () => {
    server = await startServer();
    golden = await loopDisk(mebibyte);
    const tree = join(golden.directory, 'golden');
    await makeGoldenTree(tree);
    await captureInto(server, tree);
  });
  afterAll(async () => {
    await golden[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
  });

  // Not in this process: the server answers in it.
  const imprint = (...words: string[]) =>
    new Promise<{ status: number; stderr: string }>((settle) => {
      const env = { ...process.env, IMPRINT_SERVER: server.url, IMPRINT_TOKEN: server.token };
      execFile(resolve('imprint'), words, { env }, (error, _stdout, stderr) =>
        settle({ status: Number(error?.code ?? 0), stderr }),
      );
    });

  it.each(refusals)('$says', { timeout: 150_000 }, async ({ prepare, layout, options, code, message, hint }) => {
    await using disk = await loopDisk(3 * 1024 * mebibyte);
    await prepare(disk);
    const before = await contentOf(disk);
    const own = layout === undefined ? {} : { layout: 'own', own: { name: 'mine.yaml', text: layout } };
    await server.call('machine.add', {
      ...{ machines: 'web01', macs: [bareMac], image: 'golden' },
      options: { disk: disk.device, ...own, ...options },
    });
    const bare = await bareMachine(server, [disk], { directory: disk.directory });
    try {
      const refused = await imprint('install', 'web01', '--yes', '--wait', '--json');
      expect(refused.status, refused.stderr).toBe(4);
      const said = JSON.parse(refused.stderr.trim().split('\n').at(-1) ?? '{}').error;
      expect(said).toMatchObject({ code, message: expect.stringMatching(message), hint: expect.stringMatching(hint) });
      expect(said.message).toContain('Nothing was written');
      await until('it stands on the console', async () => bare.console().includes('NOTHING WAS WRITTEN'));
      expect(await contentOf(disk)).toBe(before);
    } finally {
      await bare.stop();
      await server.call('machine.rm', { machines: 'web01' });
    }
  });
});

/** SHA-256 of what an install writes first: both ends of the disk. */
async function contentOf({ device }: LoopDisk): Promise<string> {
  run('blockdev', ['--flushbufs', device]);
  const size = Number(run('blockdev', ['--getsize64', device]));
  const [start, end] = [await read(device, 0, 32 * mebibyte), await read(device, size - 8 * mebibyte, 8 * mebibyte)];
  return createHash('sha256').update(start).update(end).digest('hex');
}
