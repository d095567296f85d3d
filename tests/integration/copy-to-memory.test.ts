import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, open, readdir, readFile, readlink, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Digest, digestHex } from '../../src/foundation/brand.ts';
import { Task, type TaskEvent } from '../../src/foundation/task.ts';
import { captureImage } from '../../src/operations/capture-image.ts';
import { createContext } from '../../src/operations/context.ts';
import { copyVersionToMemory, storeInMemoryOrThere } from '../../src/operations/live/copy-to-memory.ts';
import { silentLog } from '../../src/operations/log.ts';
import { verifyImage } from '../../src/operations/verify-image.ts';
import { systemProcesses } from '../../src/system/run.ts';

const mebibyte = 2 ** 20;
const plenty = 8 * 2 ** 30;
let work: string;
let store: string;

beforeEach(async () => {
  work = await mkdtemp(join(tmpdir(), 'imprint-memory-'));
  store = join(work, 'data/store');
});
afterEach(async () => {
  await systemProcesses.run('umount', [join(work, 'memory')], { accept: [0, 1, 32] });
  await rm(work, { recursive: true, force: true });
});

/** Captures a directory of these files as the next version of `web`, into a store of the test's. */
async function capture(files: Readonly<Record<string, Uint8Array>>, data = 'data'): Promise<Digest> {
  const source = join(work, 'tree');
  await rm(source, { recursive: true, force: true });
  await mkdir(source);
  for (const [name, content] of Object.entries(files)) await writeFile(join(source, name), content);
  await using context = createContext({ data: join(work, data), log: silentLog });
  const request = { source, name: 'web', noDefaultExcludes: true, keepSecrets: true };
  return (await captureImage(context, request, Task.silent())).digest as Digest;
}

/** What differs between a version and the directory that was captured last. */
async function differences(location: string, reference: string): Promise<unknown[]> {
  await using context = createContext({ data: join(work, 'data'), store: location, log: silentLog });
  const found: unknown[] = [];
  await verifyImage(context, { reference, directory: join(work, 'tree') }, Task.silent(), (each) => found.push(each));
  return found;
}

/** Bytes that a directory takes. */
async function taken(directory: string): Promise<number> {
  const { stdout } = await systemProcesses.run('du', ['--summarize', '--block-size=1', directory]);
  return Number(stdout.split('\t', 1)[0]);
}

describe('a version in memory', { timeout: 60_000 }, () => {
  it('is whole without the medium, and takes no more than it needs of packs that other versions share', async () => {
    const [shared, other] = [randomBytes(12 * mebibyte), randomBytes(24 * mebibyte)];
    await capture({ shared, other });
    await capture({ shared, own: randomBytes(3 * mebibyte) });
    await mkdir(join(store, 'trust'), { recursive: true });
    await writeFile(join(store, 'trust/1.json'), 'trust');
    await writeFile(join(store, 'scripts.json'), 'scripts');
    const events: TaskEvent[] = [];
    const to = await Task.run(
      'copy',
      (event) => events.push(event),
      (task) =>
        copyVersionToMemory({ from: store, to: join(work, 'memory'), reference: 'web:2', available: plenty }, task),
    );
    await rename(store, join(work, 'pulled out'));
    expect(await readFile(join(to, 'trust/1.json'), 'utf8')).toBe('trust');
    // It is none, and would be asked.
    await rm(join(to, 'trust/1.json'));
    expect(await differences(to, 'web:2')).toEqual([]);
    expect((await readdir(join(to, 'images/web'))).sort()).toEqual(['2.json', '2.json.minisig']);
    expect(await readFile(join(to, 'scripts.json'), 'utf8')).toBe('scripts');
    // 15 MiB of content in frames of 8; all of the first version's would be 36 more or less.
    expect(await taken(to)).toBeLessThan(30 * mebibyte);
    const progress = events.filter(({ kind, unit }) => kind === 'progress' && unit === 'bytes').at(-1);
    expect(progress?.done).toBe(progress?.total);
    expect(progress?.total).toBeGreaterThan(15 * mebibyte);
  });

  it('is refused where it would leave too little memory, and then stays where it is', async () => {
    await capture({ file: randomBytes(4 * mebibyte) });
    const wish = { from: store, to: join(work, 'memory'), reference: 'web', reserve: 100 * mebibyte };
    const few = copyVersionToMemory({ ...wish, available: 103 * mebibyte }, Task.silent());
    await expect(few).rejects.toMatchObject({
      code: 'memory-short',
      message: expect.stringMatching(/4(\.\d+)? MiB want 104 MiB .* 103 MiB are/),
    });
    const warnings: string[] = [];
    const placed = await Task.run(
      'start',
      ({ kind, message }) => kind === 'warning' && warnings.push(message),
      (task) => storeInMemoryOrThere({ ...wish, available: 103 * mebibyte }, task),
    );
    expect(placed).toEqual({ store, inMemory: false });
    expect(warnings.join()).toMatch(/too little memory for web.*runs from the medium instead: leave it in/);
    const enough = await storeInMemoryOrThere({ ...wish, available: 106 * mebibyte }, Task.silent());
    expect(enough).toEqual({ store: wish.to, inMemory: true });
  });

  it.skipIf(process.getuid?.() !== 0)('gets a file system of its own, which is large enough', async () => {
    await capture({ file: randomBytes(20 * mebibyte), small: randomBytes(10) });
    const wish = { from: store, to: join(work, 'memory'), reference: 'web', available: plenty };
    const to = await copyVersionToMemory({ ...wish, processes: systemProcesses }, Task.silent());
    const { stdout } = await systemProcesses.run('findmnt', ['-no', 'FSTYPE', to]);
    expect(stdout.trim()).toBe('tmpfs');
    expect(await differences(to, 'web')).toEqual([]);
    // Nothing of the medium is open any longer.
    const held = await Promise.all(
      (await readdir('/proc/self/fd')).map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => '')),
    );
    expect(held.filter((path) => path.startsWith(store))).toEqual([]);
  });

  it('is not made of bytes that are wrong', async () => {
    const digest = await capture({ file: randomBytes(4 * mebibyte) });
    const [line = ''] = (await readFile(join(store, 'manifests', `${digestHex(digest)}.packs`), 'utf8')).split('\n');
    const pack = line.slice(0, 64);
    await using file = await open(join(store, 'packs', pack.slice(0, 2), `${pack}.pack`), 'r+');
    await file.write(Buffer.from([1, 2, 3]), 0, 3, 2 * mebibyte);
    const copying = copyVersionToMemory(
      { from: store, to: join(work, 'memory'), reference: 'web', available: plenty },
      Task.silent(),
    );
    await expect(copying).rejects.toMatchObject({ code: 'corrupt-pack', details: { pack } });
  });
});
