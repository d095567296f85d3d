import { execFile } from 'node:child_process';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { expect, it } from 'vitest';
import { gptImage, write } from './boot-disk-image.ts';
import { startServer } from './server-harness.ts';

it('keeps safety copies at the server, gives them back, and forgets them with their machine', async () => {
  await using server = await startServer();
  await using image = await gptImage(512, 8);
  const { url, token, data } = server;
  await server.call('machine.add', { machines: 'web01' });
  // Not in this process: the server answers in it.
  const imprint = (...words: string[]) =>
    new Promise<{ status: number; stdout: string; stderr: string }>((settle) => {
      const options = { cwd: image.directory, env: { ...process.env, IMPRINT_SERVER: url, IMPRINT_TOKEN: token } };
      execFile(resolve('imprint'), words, options, (error, stdout, stderr) =>
        settle({ status: Number(error?.code ?? 0), stdout, stderr }),
      );
    });
  const disk = ['--disk', image.file];
  expect(await imprint('boot', 'copies', 'web01')).toMatchObject({
    stdout: 'the server keeps no safety copy of web01\n',
  });
  expect(await imprint('boot', 'restore', '--machine', 'web01', ...disk)).toMatchObject({ status: 3 });
  expect((await imprint('boot', 'save', '--machine', 'web01', ...disk)).stdout).toContain('copy 1 of web01');
  expect((await imprint('boot', 'save', 'here.tar.gz', '--machine', 'web01', ...disk)).status).toBe(0);
  expect((await imprint('boot', 'copies', 'web01')).stdout).toMatch(/^2 .*disk\.img/m);
  expect((await stat(join(data, 'boot-copies'))).mode & 0o777).toBe(0o700);
  const before = await readFile(image.file);
  await write(image.file, 0, Buffer.alloc(512));
  expect(await imprint('boot', 'restore', '--machine', 'web01', '--copy', '1', '--yes', ...disk)).toMatchObject({
    status: 0,
  });
  expect((await readFile(image.file)).equals(before)).toBe(true);
  expect(await readdir(image.directory)).toContain('web01-1.boot.tar.gz');
  const refused = await server.call('boot-copy.keep', {
    machine: 'web01',
    content: Buffer.from('nothing').toString('base64'),
  });
  expect(refused).toMatchObject({ status: 422, body: { error: { code: 'boot-copy-invalid' } } });
  expect((await imprint('boot', 'save')).status).toBe(2);
  const content = (await readFile(join(image.directory, 'here.tar.gz'))).toString('base64');
  const atOnce = await Promise.all([1, 2].map(() => server.call('boot-copy.keep', { machine: 'web01', content })));
  expect(atOnce.map(({ body }) => (body as { copy: { number: number } }).copy.number).sort()).toEqual([3, 4]);
  await server.call('machine.rm', { machines: 'web01' });
  expect(await readdir(join(data, 'boot-copies'))).toEqual([]);
});
