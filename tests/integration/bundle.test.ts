import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import packageInformation from '../../package.json' with { type: 'json' };
import { buildBundle } from '../../scripts/build.ts';

let scratch: string;
let files: string[];

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'imprint-bundle-'));
  files = await buildBundle(join(scratch, 'one'));
});

afterAll(() => rm(scratch, { recursive: true, force: true }));

it('is one file for each entry, the same bytes at every build', async () => {
  expect(files).toEqual([
    'agent.mjs',
    'bundle-plan-worker.mjs',
    'bundle-worker.mjs',
    'content-worker.mjs',
    'imager.mjs',
    'imprint.mjs',
    'mount-worker.mjs',
    'restore-worker.mjs',
  ]);
  expect(await buildBundle(join(scratch, 'two'))).toEqual(files);
  for (const file of files) {
    const [one, two] = await Promise.all(['one', 'two'].map((build) => readFile(join(scratch, build, file))));
    expect(one?.equals(two ?? Buffer.alloc(0)), file).toBe(true);
  }
});

it('needs nothing but Node: no package, no other file of the checkout', async () => {
  for (const file of files) {
    const text = await readFile(join(scratch, 'one', file), 'utf8');
    const imported = [...text.matchAll(/^import\b[^;'"]*["']([^"']+)["']/gm)].map((match) => match[1] ?? '');
    expect(
      imported.filter((name) => !name.startsWith('node:')),
      file,
    ).toEqual([]);
  }
  const run = promisify(execFile);
  const { stdout } = await run(process.execPath, [join(scratch, 'one/imprint.mjs'), '--version'], { cwd: scratch });
  expect(stdout.trim()).toBe(packageInformation.version);
});
