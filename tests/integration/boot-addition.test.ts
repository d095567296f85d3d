import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { buildBootAddition } from '../../src/netboot/boot-addition.ts';

const boot = resolve(import.meta.dirname, '../../boot');
const request = { root: '/', kernelVersion: 'none', initramfs: 'dracut', purpose: 'in-place' } as const;

test('an addition is the same again, and its programs run with nothing but what is in it', async () => {
  const addition = await buildBootAddition(request);
  expect(Buffer.compare(addition, await buildBootAddition(request))).toBe(0);
  expect(addition.length % 512).toBe(0);
  const directory = mkdtempSync(join(tmpdir(), 'imprint-addition-'));
  try {
    execFileSync('cpio', ['-id', '--quiet'], { cwd: directory, input: gunzipSync(addition) });
    expect(readdirSync(join(directory, 'scripts'))).toEqual(['imprint']);
    expect(readdirSync(join(directory, 'usr/lib/dracut/hooks'))).toEqual(['cmdline', 'mount', 'pre-pivot']);
    const start =
      /^exec (.*) \/imprint\/boot\.sh/m.exec(readFileSync(join(directory, 'imprint/start'), 'utf8'))?.[1] ?? '';
    const script = [
      '. /imprint/tools',
      'mkdir -p a/b && echo text >a/b/c && cp -a -l -T a d && mv d/b d/e && ln -s e d/f && readlink d/f && cat d/e/c',
      'rm a/b/c && rmdir a/b && sync && sleep 0 && mount --version && umount --version && losetup --version && blkid --version',
    ].join('\n');
    const said = execFileSync('chroot', [directory, ...start.split(' '), '-ec', script], { encoding: 'utf8' });
    expect(said).toMatch(/^e\ntext\nmount from util-linux/);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});

test('every script of it is one for the smallest shell', () => {
  for (const name of ['addition', 'in-place']) {
    for (const file of readdirSync(join(boot, name))) execFileSync('dash', ['-n', join(boot, name, file)]);
  }
});

test('an image without the programs that are needed is refused', async () => {
  await expect(buildBootAddition({ ...request, root: '/var/empty' })).rejects.toMatchObject({ code: 'image-unfit' });
});
