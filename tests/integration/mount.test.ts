import { type ExecFileException, execFile } from 'node:child_process';
import { mkdir, mkdtemp, open, readdir, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mountPoints } from '../../src/system/mount.ts';
import { serveDirectory } from '../contract/store-fixture.ts';
import { makeEveryEntry } from './every-entry.ts';

const launcher = join(import.meta.dirname, '../../imprint');
const run = promisify(execFile);
let scratch: string;
let tree: string;
let point: string;

const imprint = async (...words: string[]) => (await run(launcher, ['--data', join(scratch, 'data'), ...words])).stdout;

// As in fidelity.test.ts, rsync leaves out what is too deep for it, and the huge sparse file: our own comparison looks there.

/** Mounts, does something, and unmounts whatever becomes of it. */
async function mounted<Result>(words: readonly string[], work: () => Promise<Result>): Promise<Result> {
  await imprint('image', 'mount', ...words, point);
  try {
    return await work();
  } finally {
    await run('umount', [point]);
  }
}

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'imprint-mount-'));
  tree = join(scratch, 'tree');
  point = join(scratch, 'point');
  await mkdir(tree);
  makeEveryEntry(tree);
  await mkdir(join(tree, 'many'));
  for (let index = 0; index < 3000; index += 1)
    await writeFile(join(tree, `many/a file with a long name ${index}`), `${index}`);
  await imprint('capture', tree, '--name', 'web', '--keep-secrets', '--no-default-excludes');
});

// Node's own removal stops at paths that are longer than the kernel takes at once.
afterAll(() => run('rm', ['-rf', scratch]));

describe('image mount', () => {
  it('shows every entry with every attribute, as rsync and our own comparison see it', async () => {
    await mounted(['web'], async () => {
      const { stdout } = await run('rsync', [
        '-aHAXnci',
        '--delete',
        '--exclude=/deep',
        '--exclude=/huge',
        `${tree}/`,
        `${point}/`,
      ]);
      expect(stdout).toBe('');
      expect(await imprint('image', 'verify', 'web', point)).toContain('is exactly web:1');
      expect((await readdir(join(point, 'many'))).length).toBe(3000);
      await expect(writeFile(join(point, 'new'), '')).rejects.toMatchObject({ code: 'EROFS' });
    });
    expect(await mountPoints()).not.toContain(point);
  });

  it('can be captured again: the same digest', async () => {
    const digest = await mounted(['web'], async () => {
      const words = ['capture', point, '--name', 'again', '--keep-secrets', '--no-default-excludes', '--json'];
      return (JSON.parse(await imprint(...words)) as { digest: string }).digest;
    });
    expect(digest).toBe(
      (JSON.parse(await imprint('image', 'show', 'web', '--json')) as { record: { digest: string } }).record.digest,
    );
  });

  it('reads over HTTP what it is asked for', async () => {
    await using server = await serveDirectory(join(scratch, 'data/store'));
    await mounted(['web', '--store', server.url], async () => {
      expect(await readFile(join(point, 'many/a file with a long name 17'), 'utf8')).toBe('17');
      const { stdout } = await run('rsync', [
        '-aHAXnci',
        '--delete',
        '--exclude=/deep',
        '--exclude=/huge',
        `${tree}/`,
        `${point}/`,
      ]);
      expect(stdout).toBe('');
    });
  });

  it('gives an error, and never wrong bytes, where content is damaged', async () => {
    const copy = join(scratch, 'damaged');
    await run('cp', ['-a', join(scratch, 'data/store'), copy]);
    const packs = (await readdir(join(copy, 'packs'), { recursive: true })).filter((name) => name.endsWith('.pack'));
    for (const pack of packs) {
      await using file = await open(join(copy, 'packs', pack), 'r+');
      // All frames, and not the table behind them, whose offset the footer says.
      const { size } = await file.stat();
      const { buffer } = await file.read(Buffer.alloc(8), 0, 8, size - 56);
      const table = Number(buffer.readBigUInt64LE());
      for (let at = 40; at + 8 < table; at += 500) await file.write(Buffer.alloc(8, 0x55), 0, 8, at);
    }
    await mounted(['web', '--store', copy], async () => {
      const names = await readdir(join(point, 'many'));
      const outcomes = await Promise.all(
        names.map((name) => readFile(join(point, 'many', name), 'utf8').catch((error) => error.code as string)),
      );
      expect(outcomes).toContain('EIO');
      for (const [index, outcome] of outcomes.entries()) {
        if (outcome !== 'EIO') expect(outcome).toBe(names[index]?.split(' ').at(-1));
      }
    });
  });

  it('says what is wrong where nothing can be mounted', async () => {
    const file = join(scratch, 'file');
    await writeFile(file, '');
    const failure = await imprint('image', 'mount', 'web', file).catch(
      (error: ExecFileException & { stderr: string }) => error,
    );
    expect(failure).toMatchObject({ code: 1, stderr: expect.stringContaining('it is no directory') });
    await expect(imprint('image', 'mount', 'nothing', point)).rejects.toMatchObject({ code: 3 });
    // Where nothing can be made, and a naive attempt to make it never ends.
    await expect(imprint('image', 'mount', 'web', '/proc/nothing/here')).rejects.toMatchObject({ code: 1 });
    await expect(imprint('image', 'checkout', 'web', '/proc/nothing/here')).rejects.toMatchObject({ code: 1 });
    await mounted(['web'], async () => {
      const stderr = expect.stringContaining('is mounted there already');
      await expect(imprint('image', 'mount', 'web', point)).rejects.toMatchObject({ code: 1, stderr });
    });
    expect(await mountPoints()).not.toContain(point);
  });

  it('in the foreground ends with its mount when it is told to', async () => {
    const child = execFile(launcher, ['--data', join(scratch, 'data'), 'image', 'mount', 'web', point, '--foreground']);
    const ended = new Promise((resolve) => child.on('exit', resolve));
    await new Promise((resolve) => child.stdout?.once('data', resolve));
    expect(await mountPoints()).toContain(point);
    child.kill('SIGTERM');
    await ended;
    expect(await mountPoints()).not.toContain(point);
  });
});
