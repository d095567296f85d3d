import { generateKeyPairSync } from 'node:crypto';
import { existsSync } from 'node:fs';
import { appendFile, cp, mkdir, mkdtemp, open, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/foundation/clock.ts';
import { createSigner } from '../../src/image/signature.ts';
import { lockUpdate } from '../../src/operations/update/update-lock.ts';
import { DirectoryStore } from '../../src/store/directory-store.ts';
import type { StoredVersion } from '../../src/store/store.ts';
import type { VersionDraft } from '../../src/store/transaction.ts';
import { BootPartition } from '../../src/system/boot-partition.ts';
import { systemProcesses } from '../../src/system/run.ts';
import { type Misbehaviour, serveDirectory } from '../contract/store-fixture.ts';
import {
  commitTree,
  makeBootableTree,
  type SignedStore,
  type SlotMachine,
  signedStore,
  slotMachine,
} from './slot-machine.ts';

const { run } = systemProcesses;
const year = 365.25 * 24 * 3600 * 1000;

let base: string;
let golden: string;
let signed: SignedStore;
/** What runs. */
let first: StoredVersion;
/** Versions made of the golden tree by a change each, by the name of what is wrong with them. */
const made = new Map<string, string>();

beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), 'imprint-refused-'));
  golden = join(base, 'golden');
  signed = await signedStore(join(base, 'data'));
  await makeBootableTree(golden);
  first = await commitTree(signed, golden, { created: '2026-01-01T00:00:00Z' });
  await version('good', (tree) => writeFile(join(tree, 'usr/good'), Buffer.alloc(3_000_000, Math.random().toString())));
  await version('noKernel', (tree) => rm(join(tree, 'boot'), { recursive: true }));
  await version('noInit', (tree) => rm(join(tree, 'usr/sbin/init')));
  await version('otherProcessor', async (tree) => {
    await using init = await open(join(tree, 'usr/sbin/init'), 'r+');
    await init.write(Buffer.from([183, 0]), 0, 2, 18);
  });
  await version('otherMachine', async () => {}, { source: { ...first.record.source, architecture: 'aarch64' } });
  await version('noModules', async (tree) => {
    await rm(join(tree, 'boot/initrd.img-6.1.0-10-amd64'));
    await mkdir(join(tree, 'lib/modules/6.1.0-10-amd64/kernel/fs/xfs'), { recursive: true });
    await writeFile(join(tree, 'lib/modules/6.1.0-10-amd64/modules.builtin'), 'kernel/fs/fuse/fuse.ko\n');
    await writeFile(join(tree, 'lib/modules/6.1.0-10-amd64/kernel/fs/xfs/xfs.ko'), 'xfs');
  });
  await version('expired', (tree) => writeFile(join(tree, 'usr/late'), 'late'), { expires: '2026-02-01T00:00:00Z' });
});
afterAll(async () => {
  await signed.store.close();
  await rm(base, { recursive: true, force: true });
});

/** Makes a version of another image for each, so that none of them is the newer one that vouches for another. */
async function version(name: string, change: (tree: string) => Promise<unknown>, draft: Partial<VersionDraft> = {}) {
  const tree = join(base, 'tree');
  await cp(golden, tree, { recursive: true, preserveTimestamps: true, verbatimSymlinks: true });
  await change(tree);
  const image = name.toLowerCase();
  await commitTree(signed, tree, { image, ...draft });
  await rm(tree, { recursive: true });
  made.set(name, image);
}

const from = (name: string, store = signed.directory) => ({ image: `${store}#${made.get(name)}` });

describe.skipIf(process.geteuid?.() !== 0)('an update that cannot be is refused, and the machine is as it was', () => {
  let machine: SlotMachine;
  beforeAll(async () => {
    machine = await slotMachine(signed, golden, first);
  });
  afterEach(async () => {
    // What one of them has fetched would be used by the next.
    await rm(join(machine.root, 'var/lib/imprint/update'), { recursive: true, force: true });
    expect(await machine.pointer()).toMatchObject({ sequence: 1 });
    expect(await machine.entries()).toHaveLength(1);
    expect((await run('blkid', ['--probe', machine.spare], { accept: [0, 2] })).stdout).not.toContain('ext4');
  });
  afterAll(() => machine[Symbol.asyncDispose]());

  it.each([
    ['noKernel', /holds no kernel.*Nothing was written/, /Install a kernel on the golden machine/],
    ['noInit', /holds no init/, /Install an init system on the golden machine/],
    [
      'otherProcessor',
      /its init .* is a program for aarch64, and the machine is x86_64/,
      /golden machine of the right arch/,
    ],
    ['otherMachine', /it was captured on aarch64, and the machine is x86_64/, /Capture a golden machine of x86_64/],
    ['noModules', /knows no ext4, which it needs to mount its root/, /update-initramfs -u/],
  ])('because the image would not come up: %s', async (name, message, hint) => {
    const error = await machine.refusal(from(name));
    expect(error.code).toBe('image-unfit');
    expect(error.message).toMatch(message);
    expect(error.hint).toMatch(hint);
  });

  it('because there is no store', async () => {
    const error = await machine.refusal({ image: `${base}/nowhere#good` });
    expect(error.code).toBe('store-not-found');
    expect(error.hint).toContain('--store');
  });

  it.each<[string, Misbehaviour]>([
    ['in the middle of the content', (path, request) => (path.endsWith('.pack') ? goneFrom(request) : undefined)],
    ['before the manifest', (path) => (path.startsWith('manifests/') ? 403 : undefined)],
  ])('because the server goes away %s', async (_, misbehave) => {
    await using server = await serveDirectory(signed.directory, misbehave);
    const error = await machine.refusal(from('good', server.url));
    expect(error.code).toBe('store-unreachable');
    expect(error.message).toContain(server.url);
    expect(error.hint).toContain('What was fetched so far is kept');
  });

  it('because its manifest is damaged', async () => {
    await using server = await damagedServer('manifests');
    const error = await machine.refusal(from('good', server.url));
    expect(error, error.message).toMatchObject({ code: 'corrupt-manifest' });
    expect(error.hint).toContain('imprint store check');
  });

  it('because another key signed it, or nobody', async () => {
    const copy = join(base, 'resigned');
    const { privateKey } = generateKeyPairSync('ed25519');
    for (const [signer, code, next] of [
      [createSigner(privateKey), 'signature-wrong', /sign with that key/],
      [undefined, 'signature-missing', /imprint image sign/],
    ] as const) {
      await rm(copy, { recursive: true, force: true });
      const store = await DirectoryStore.open(copy, { create: true, ...(signer && { signer }) });
      await commitTree({ directory: copy, store, publicKey: '' }, golden, { image: 'good' });
      await store.close();
      const error = await machine.refusal(from('good', copy));
      expect(error.code).toBe(code);
      expect(error.hint).toMatch(next);
    }
  });

  it('because no key is known that could vouch for it', async () => {
    const key = join(machine.root, 'etc/imprint/server.pub');
    await rename(key, `${key}.away`);
    const error = await machine.refusal(from('good')).finally(() => rename(`${key}.away`, key));
    expect(error.code).toBe('trust-missing');
    expect(error.hint).toContain('imprint trust pin');
  });

  it('because what vouches for it has expired, whatever a clock says that is years behind', async () => {
    for (const now of [Date.now(), 0, Date.parse('1996-01-01')]) {
      await writeFile(join(machine.root, 'var/lib/imprint/server-time'), `${Date.parse('2026-03-01')}\n`);
      const error = await machine.refusal(from('expired'), { clock: { ...systemClock, now: () => now } });
      expect(error.code).toBe('version-expired');
      expect(error.hint).toContain('imprint image renew');
      expect(error.message).toContain('2026-02-01');
    }
  });

  it('because there is no room to fetch it to, before anything is fetched', async () => {
    const place = join(machine.root, 'var/lib/imprint/update');
    await rm(place, { recursive: true, force: true });
    await mkdir(place);
    await run('mount', ['-t', 'tmpfs', '-o', 'size=17m', 'tmpfs', place]);
    try {
      await using server = await serveDirectory(signed.directory);
      await appendFile(join(place, 'filler'), Buffer.alloc(500_000));
      await run('mount', ['-o', 'remount,size=16m', place]);
      const error = await machine.refusal(from('good', server.url));
      expect(error.code).toBe('fetch-no-room');
      expect(error.hint).not.toBe('');
      expect(server.requests.filter((path) => /^packs.*pack bytes/.test(path) && !/pack bytes=0-/.test(path))).toEqual(
        [],
      );
    } finally {
      await run('umount', [place]);
    }
  });

  it('because another update goes on, which is named', async () => {
    await using _lock = await lockUpdate('an update by somebody');
    const error = await machine.refusal(from('good'));
    expect(error.code).toBe('update-running');
    expect(error.message).toContain(`an update by somebody, process ${process.pid}`);
    expect(error.hint).toContain('Wait');
  });

  it('because a slot was asked for that runs, or is none', async () => {
    for (const [slot, problem] of [
      ['a', 'it runs'],
      ['z', 'this machine has no such slot'],
    ] as const) {
      const error = await machine.refusal({ ...from('good'), options: { slot } });
      expect(error).toMatchObject({ code: 'slot-unfit' });
      expect(error.message).toContain(problem);
    }
  });

  it('because /var is a file system of its own, where it would change the root, before anything is fetched', async () => {
    const place = join(machine.root, 'var');
    await cp(place, join(base, 'var'), { recursive: true, preserveTimestamps: true });
    await run('mount', ['-t', 'tmpfs', 'tmpfs', place]);
    try {
      await cp(join(base, 'var'), place, { recursive: true, preserveTimestamps: true });
      const error = await machine.refusal({ ...from('good'), options: { inPlace: true } });
      expect(error.code).toBe('in-place-unfit');
      expect(error.message).toContain('/var is a file system of its own and holds /var/lib/imprint');
      expect(error.hint).toContain('imprint install');
      expect(existsSync(join(place, 'lib/imprint/update'))).toBe(false);
      expect(existsSync(join(machine.root, '.imprint'))).toBe(false);
    } finally {
      await run('umount', [place]);
    }
  });

  it('because what makes the machine itself has no place, before anything is fetched', async () => {
    const settings = join(machine.root, 'etc/imprint/agent.yaml');
    await writeFile(settings, `stateDirectory: ${base}/cluster/objects\n`);
    const error = await machine.refusal(from('good')).finally(() => rm(settings));
    expect(error.code).toBe('object-unfit');
    expect(error.hint).toContain('Mount its file system');
    expect(existsSync(join(base, 'cluster'))).toBe(false);
    expect(existsSync(join(machine.root, 'var/lib/imprint/update'))).toBe(false);
  });

  it('because it is not there', async () => {
    const error = await machine.refusal({ image: `${signed.directory}#web:77` });
    expect(error.code).toBe('image-not-found');
    expect(error.hint).toContain('imprint images');
  });
});

describe.skipIf(process.geteuid?.() !== 0)('an update that was refused', () => {
  it('for want of room in the slot has fetched nothing', async () => {
    await using machine = await slotMachine(signed, golden, first, { slotMegabytes: 300 });
    await using server = await serveDirectory(signed.directory);
    const error = await machine.refusal(from('good', server.url));
    expect(error.code).toBe('slot-unfit');
    expect(error.message).toMatch(/it holds 300 MiB, and at least 4\d\d MiB are needed/);
    expect(server.requests.filter((path) => path.startsWith('packs/'))).toEqual([]);
    expect(existsSync(join(machine.root, 'var/lib/imprint/update'))).toBe(false);
  });

  it('because the server went away goes on where it ended, once the server is there again; then another is refused', async () => {
    await using machine = await slotMachine(signed, golden, first);
    let gone = true;
    const misbehave: Misbehaviour = (path, request) => (gone && path.endsWith('.pack') ? goneFrom(request) : undefined);
    await using server = await serveDirectory(signed.directory, misbehave);
    expect(await machine.refusal(from('good', server.url))).toMatchObject({ code: 'store-unreachable' });
    gone = false;
    const result = await machine.update(from('good', server.url));
    expect(result).toMatchObject({ kind: 'staged', slot: 'b' });
    expect(await machine.pointer()).toMatchObject({ trial: result.entry, tries: 3 });
    // On trial: what is not proven is no place to start from.
    await using boot = await BootPartition.open(systemProcesses, (await machine.machine()).bootDevice);
    expect((await boot.entries()).map(({ slot }) => slot)).toEqual(['a', 'b']);
  }, 120_000);
});

it('content that is damaged ends an update with what runs as it was, and the next one makes the slot good', async () => {
  if (process.geteuid?.() !== 0) return;
  await using machine = await slotMachine(signed, golden, first);
  const before = await machine.pointer();
  {
    await using server = await damagedServer('packs');
    const error = await machine.refusal(from('good', server.url));
    expect(error, error.message).toMatchObject({ code: 'corrupt-pack' });
    expect(error.hint).toContain('imprint store check');
  }
  expect(await machine.pointer()).toMatchObject({ good: before?.good });
  expect((await machine.pointer())?.trial).toBeUndefined();
  expect(await machine.update(from('good'))).toMatchObject({ kind: 'staged', slot: 'b' });
});

it('a clock that is years ahead is told of where it makes a version expire', async () => {
  if (process.geteuid?.() !== 0) return;
  await using machine = await slotMachine(signed, golden, first);
  await version('fresh', (tree) => writeFile(join(tree, 'usr/fresh'), 'fresh'), {
    expires: new Date(Date.now() + year).toISOString(),
  });
  const clock = { ...systemClock, now: () => Date.now() + 30 * year };
  const error = await machine.refusal(from('fresh'), { clock });
  expect(error.code).toBe('version-expired');
  expect(error.hint).toMatch(/clock/);
  expect(await machine.update(from('fresh'))).toMatchObject({ kind: 'staged' });
});

/** The store behind HTTP, with all files of one of its directories damaged here and there. */
async function damagedServer(directory: 'packs' | 'manifests') {
  const stack = new AsyncDisposableStack();
  const copy = await mkdtemp(join(tmpdir(), 'imprint-damaged-'));
  stack.defer(() => rm(copy, { recursive: true }));
  await cp(signed.directory, copy, { recursive: true });
  for (const path of await filesOf(join(copy, directory))) {
    await using file = await open(path, 'r+');
    const { size } = await file.stat();
    // Content, but not the table at the end, without which a pack would not be read at all.
    for (let at = 64; at < Math.max(65, size - 2000); at += 997) await file.write(Buffer.from([0x55]), 0, 1, at);
  }
  const server = stack.use(await serveDirectory(copy));
  return { url: server.url, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

/** A server that breaks off, and then says nothing that helps any more: so nobody waits a minute for it to come back. */
function goneFrom(request: number): 'cut' | 403 {
  return request % 3 === 0 ? 403 : 'cut';
}

async function filesOf(directory: string): Promise<string[]> {
  const found = await readdir(directory, { recursive: true, withFileTypes: true });
  return found.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name));
}
