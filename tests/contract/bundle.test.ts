import { hash, randomBytes } from 'node:crypto';
import { readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { Task } from '../../src/foundation/task.ts';
import { fetchUpdate } from '../../src/operations/update/fetch-update.ts';
import { keepConfiguration, keptConfigurationPath } from '../../src/operations/update/kept-configuration.ts';
import { checkStore } from '../../src/store/check-store.ts';
import { bundlePath } from '../../src/store/layout.ts';
import { makeBundle } from '../../src/tree/make-bundle.ts';
import type { Misbehaviour } from './store-fixture.ts';
import { contents, digestOf, type NamedFiles, setVersionTime, sums, updateWorld } from './update-world.ts';

const program = randomBytes(400_000);
const old = { 'libx-1.2.so': program, motd: Buffer.from('old'), same: randomBytes(50_000), tool: randomBytes(200_000) };
const files = {
  copy: edited(program, 'copied'),
  'libx-1.3.so': edited(program, 'moved'),
  motd: Buffer.from('new'),
  new: randomBytes(3000),
  same: old.same,
  tool: edited(old.tool, 'changed'),
};

function edited(content: Buffer, text: string): Buffer {
  return Buffer.concat([content.subarray(0, 1000), Buffer.from(text), content.subarray(1200)]);
}

/** A store with two versions and the bundle between them behind HTTP, and a machine that has the first. */
async function world(misbehave?: Misbehaviour, versions: { old: NamedFiles; files: NamedFiles } = { old, files }) {
  const there = await updateWorld(versions.old, versions.files, { retries: 1, misbehave });
  const { kept, first, version, base, store, directory } = there;
  const report = await makeBundle(kept, digestOf(first), digestOf(version), { task: Task.silent(), threads: 1 });
  const bundle = kept.path(bundlePath(digestOf(first), digestOf(version)));
  let places = 0;
  const fetching = (extra: { place?: string; patience?: number; warn?: (message: string) => void } = {}) => {
    const { place = `place-${places++}`, warn, ...options } = extra;
    const listener = (event: { kind: string; message: string }) => event.kind === 'warning' && warn?.(event.message);
    return Task.run('update', listener, (task) =>
      fetchUpdate({ store, version, base, place: join(directory.path, place), task, ...options }),
    );
  };
  return { ...there, bundle, report, fetching };
}

test('an update is one file, much smaller than what is new', async () => {
  await using there = await world();
  expect(there.report).toMatchObject({ bytes: (await readFile(there.bundle)).length, chunks: 5 });
  const before = there.server.requests.length;
  await using update = await there.fetching();
  expect(there.server.requests.length - before).toBe(2);
  expect(update.transferred.bytes).toBeLessThan(8000);
  await there.server[Symbol.asyncDispose]();
  expect(sums(await contents(update))).toEqual(sums(files));
});

test('the same versions make the same bundle', async () => {
  await using there = await world();
  const before = await readFile(there.bundle);
  // The second one planned in a thread of its own, as that of large versions is.
  const options = { task: Task.silent(), threads: 2, planHere: 0 };
  await makeBundle(there.kept, digestOf(there.first), digestOf(there.version), options);
  expect(hash('sha256', await readFile(there.bundle))).toBe(hash('sha256', before));
});

test('what ends a thread that plans is told, and leaves nothing', async () => {
  await using there = await world();
  await rm(there.bundle);
  const make = (signal?: AbortSignal) =>
    makeBundle(there.kept, digestOf(there.first), digestOf(there.version), { task: Task.silent(signal), planHere: 0 });
  await expect(make(AbortSignal.abort(new Error('enough')))).rejects.toThrow('enough');
  await rm(there.kept.path('packs'), { recursive: true });
  await expect(make()).rejects.toMatchObject({ code: expect.stringMatching(/^(chunk-missing|corrupt-pack)$/) });
  expect((await readdir(there.kept.path('bundles'))).filter((name) => name !== 'lock')).toEqual([]);
});

test('what was changed on the machine is not built upon', async () => {
  await using there = await world();
  await writeFile(join(there.root, 'tool'), edited(old.tool, 'changed here'));
  await using update = await there.fetching();
  const beforehand = update.transferred.bytes;
  expect(beforehand).toBeGreaterThan(200_000);
  expect(sums(await contents(update))).toEqual(sums(files));
  expect(update.transferred.bytes, 'fetched beforehand, for its time gave it away').toBe(beforehand);
  // One that gives nothing away is found out by what comes of it.
  const path = join(there.root, 'libx-1.2.so');
  await writeFile(path, Buffer.alloc(program.length));
  setVersionTime(path);
  await utimes(join(there.root, 'motd'), 1, 1);
  await using second = await there.fetching();
  expect(sums(await contents(second))).toEqual(sums(files));
});

test('what a machine changed of its configuration and logs comes from what it kept, not over the wire', async () => {
  const [hosts, log] = [randomBytes(20_000), randomBytes(100_000)];
  const before = { 'etc/edited': hosts, 'etc/hosts': hosts, 'etc/removed': randomBytes(3000), 'var/log/dpkg.log': log };
  const after = { ...before, 'var/log/dpkg.log': edited(log, 'one line more') };
  await using there = await world(undefined, { old: before, files: after });
  await keepConfiguration(there.base);
  for (const name of ['etc/edited', 'etc/hosts', 'var/log/dpkg.log'])
    await writeFile(join(there.root, name), `the machine's own ${name}`);
  await rm(join(there.root, 'etc/removed'));
  await using update = await there.fetching();
  expect(update.transferred.bytes).toBeLessThan(4000);
  expect(update.transferred.requests).toBe(2);
  await there.server[Symbol.asyncDispose]();
  expect(sums(await contents(update))).toEqual(sums(after));
});

test('what was kept of a configuration and is damaged is not believed', async () => {
  const before = { 'etc/hosts': randomBytes(20_000) };
  await using there = await world(undefined, { old: before, files: { ...before, new: randomBytes(10) } });
  await keepConfiguration(there.base);
  const kept = join(there.root, keptConfigurationPath);
  const text = gunzipSync(await readFile(kept)).toString('utf8');
  await writeFile(kept, gzipSync(text.replace(/("files":\{"\w+":")..../, '$1AAAA')));
  await writeFile(join(there.root, 'etc/hosts'), 'mine');
  await using update = await there.fetching();
  expect(Object.keys(await contents(update)).toSorted()).toEqual(['etc/hosts', 'new']);
  expect(update.transferred.bytes).toBeGreaterThan(20_000);
});

test('what is left of an earlier try is carried on with', async () => {
  let requests = 0;
  await using there = await world((path) => {
    if (!path.endsWith('.bundle')) return undefined;
    requests += 1;
    return requests === 2 || requests === 3 ? 'cut' : requests === 4 ? 403 : undefined;
  });
  await expect(there.fetching({ place: 'one' })).rejects.toMatchObject({ code: 'store-unreachable' });
  await using update = await there.fetching({ place: 'one' });
  const starts = there.server.requests
    .flatMap((request) => /\.bundle bytes=(\d+)-/.exec(request)?.[1] ?? [])
    .map(Number);
  expect(starts).toEqual([0, 1, 2, 2]);
  expect(sums(await contents(update))).toEqual(sums(files));
});

test('a store without a bundle, or one that makes it for too long, is read by ranges', async () => {
  await using without = await world((path) => (path.endsWith('.bundle') ? 404 : undefined));
  await using update = await without.fetching();
  expect(sums(await contents(update))).toEqual(sums(files));
  await using never = await world();
  await using unasked = await never.fetching({ patience: 0 });
  expect(never.server.requests.some((request) => request.includes('bundle'))).toBe(false);
  expect(sums(await contents(unasked))).toEqual(sums(files));
});

test('a bundle that is damaged, cut short, hostile or another’s does no harm: all content is right, from the packs', async () => {
  await using there = await world();
  const sound = await readFile(there.bundle);
  const fakes: [string, Buffer][] = [
    ['empty', Buffer.alloc(0)],
    ['noise', randomBytes(5000)],
    ['cut', sound.subarray(0, -10)],
    ['of another', resealed(sound, (bytes) => void bytes.fill(7, bytes.length - 56 - 32, bytes.length - 56))],
  ];
  for (let at = 0; at < sound.length; at += Math.ceil(sound.length / 25)) {
    fakes.push([`flipped at ${at}`, flipped(sound, at)]);
    // With a checksum that is right again, as a hostile server would.
    fakes.push([`forged at ${at}`, resealed(sound, (bytes) => void flip(bytes, at))]);
  }
  for (const [name, bytes] of fakes) {
    await writeFile(there.bundle, bytes);
    const warnings: string[] = [];
    await using update = await there.fetching({ warn: (message) => warnings.push(message) });
    expect(sums(await contents(update)), name).toEqual(sums(files));
    if (!name.startsWith('forged')) expect(warnings.join(), name).toContain('bundle');
  }
});

test('a check of the store removes a bundle that is damaged or not what its name says, and no other', async () => {
  await using there = await world();
  const check = () => Array.fromAsync(checkStore(there.kept, Task.silent()));
  const sound = await readFile(there.bundle);
  expect(await check()).toEqual([]);
  const path = bundlePath(digestOf(there.first), digestOf(there.version));
  for (const at of [3, 100, sound.length - 200, sound.length - 100, sound.length - 1]) {
    const damaged = Buffer.from(sound);
    damaged.writeUInt8(damaged.readUInt8(at) ^ 1, at);
    await writeFile(there.bundle, damaged);
    const problem = expect.stringContaining('removed');
    expect(await check()).toMatchObject([{ kind: 'bundle', path, code: 'corrupt-record', problem }]);
    expect(await check()).toEqual([]);
  }
  const back = bundlePath(digestOf(there.version), digestOf(there.first));
  await writeFile(there.kept.path(back), sound);
  expect(await check()).toMatchObject([{ kind: 'bundle', path: back }]);
  await using update = await there.fetching();
  expect(sums(await contents(update))).toEqual(sums(files));
});

test('a bundle goes with its versions', async () => {
  await using there = await world();
  await there.kept.collect({ grace: 0 }, Task.silent());
  expect((await readFile(there.bundle)).length).toBeGreaterThan(0);
  await there.kept.remove('web:1');
  await there.kept.collect({ grace: 0 }, Task.silent());
  await expect(readFile(there.bundle)).rejects.toMatchObject({ code: 'ENOENT' });
});

function flip(bytes: Buffer, at: number): void {
  bytes[at] = (bytes[at] ?? 0) ^ 0x55;
}

function flipped(bytes: Buffer, at: number): Buffer {
  const copy = Buffer.from(bytes);
  flip(copy, at);
  return copy;
}

/** Changed, with its checksum made anew: of all before the last 40 bytes (hash and magic). */
function resealed(bytes: Buffer, change: (bytes: Buffer) => void): Buffer {
  const copy = Buffer.from(bytes);
  change(copy);
  hash('sha256', copy.subarray(0, -40), 'buffer').copy(copy, copy.length - 40);
  return copy;
}
