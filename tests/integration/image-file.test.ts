import { execFileSync } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { enlarge, flushFile, makeImageFile, settleBlocks } from '../../src/system/image-file.ts';
import { systemProcesses } from '../../src/system/run.ts';
import { type LoopType, mountLoop } from './loop-file-system.ts';

const mebibyte = 1 << 20;
const wish = { bytes: 200 * mebibyte, uuid: '33333333-2222-4333-8444-555555555555', inodes: 1000 };

/** An image file with something in it, written as an install writes it; settled. */
async function filledImage(host: string): Promise<string> {
  const path = join(host, 'made.img');
  await makeImageFile(systemProcesses, { ...wish, path });
  const root = join(host, 'root');
  execFileSync('mkdir', [root]);
  execFileSync('mount', ['-o', 'loop,noatime', path, root]);
  try {
    for (const name of ['one', 'two', 'gone']) {
      execFileSync('dd', ['if=/dev/urandom', `of=${join(root, name)}`, 'bs=1M', 'count=20', 'status=none']);
    }
    execFileSync('rm', [join(root, 'gone')]);
    execFileSync('fstrim', [root], { stdio: 'pipe' });
  } finally {
    execFileSync('umount', [root]);
  }
  const before = readFileSync(path);
  await settleBlocks(path);
  await flushFile(path);
  expect(readFileSync(path).equals(before)).toBe(true);
  return path;
}

function extents(path: string): string {
  execFileSync('sync', [path]);
  return execFileSync('filefrag', ['-v', path], { encoding: 'utf8' });
}

describe.skipIf(process.getuid?.() !== 0)('an image file', () => {
  it.each<LoopType>(['ext4', 'xfs'])('has every block of its own on %s, whatever was given back', async (type) => {
    using host = mountLoop(type, 600);
    const path = await filledImage(host.path);
    expect(statSync(path).blocks * 512).toBeGreaterThanOrEqual(wish.bytes);
    await enlarge(path, wish.bytes + 16 * mebibyte);
    expect(statSync(path).blocks * 512).toBeGreaterThanOrEqual(wish.bytes + 16 * mebibyte);
  });

  it('has nothing reserved on btrfs, so that GRUB reads a clone of it whole', async () => {
    using host = mountLoop('btrfs', 800);
    const path = await filledImage(host.path);
    expect(extents(path)).not.toContain('unwritten');
    const clone = join(host.path, 'hn-root-new.img');
    execFileSync('cp', ['--reflink=always', path, clone]);
    execFileSync('sync', ['-f', clone]);
    const read = join(host.path, 'read.img');
    execFileSync('grub-fstest', [host.image, 'cp', '(loop0)/hn-root-new.img', read]);
    expect(readFileSync(read).equals(readFileSync(clone))).toBe(true);
    await enlarge(path, wish.bytes + 16 * mebibyte);
    expect(statSync(path).size).toBe(wish.bytes + 16 * mebibyte);
    expect(extents(path)).not.toContain('unwritten');
  });
});
