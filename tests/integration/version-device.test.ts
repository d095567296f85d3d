import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Digest } from '../../src/foundation/brand.ts';
import { systemClock } from '../../src/foundation/clock.ts';
import { toImprintError } from '../../src/foundation/errors.ts';
import { Task } from '../../src/foundation/task.ts';
import { blockSize } from '../../src/image/ext4/geometry.ts';
import { Ext4Tree } from '../../src/image/ext4/tree.ts';
import { writeExt4 } from '../../src/image/ext4/writer.ts';
import { captureImage } from '../../src/operations/capture-image.ts';
import { type Context, createContext } from '../../src/operations/context.ts';
import { DiskContent } from '../../src/operations/disk-image/disk-content.ts';
import { inodesFor, journalFor } from '../../src/operations/disk-image/disk-plan.ts';
import { serveLiveSource } from '../../src/operations/live/live-source.ts';
import { VersionDevice } from '../../src/operations/live/version-device.ts';
import { silentLog } from '../../src/operations/log.ts';
import { openStore } from '../../src/store/open-store.ts';
import type { Store } from '../../src/store/store.ts';
import { blocksOf, DiskFile } from '../../src/system/disk-file.ts';
import { makeExt4InFile } from '../../src/system/filesystem.ts';
import { systemProcesses } from '../../src/system/run.ts';
import { makeEveryEntry } from './every-entry.ts';
import { makeGoldenTree } from './install-tree.ts';

const size = 256 * 2 ** 20;
const place = { uuid: '6d3b1c52-3f0e-4a8e-9a64-2f6d5a1c0e11', time: 1_700_000_000 };
let work: string;
let context: Context;
let digest: Digest;
let store: Store;

/** The first bytes of a pack become others, and what they were where it is done twice. */
async function flipFirst(packs: string): Promise<void> {
  const [pack = ''] = (await readdir(packs, { recursive: true })).filter((name) => name.endsWith('.pack')).sort();
  await using file = await open(join(packs, pack), 'r+');
  const bytes = Buffer.alloc(64);
  await file.read(bytes, 0, 64, 0);
  await file.write(
    bytes.map((byte) => byte ^ 0xff),
    0,
    64,
    0,
  );
}

/** The first bytes of a device, as the kernel asks for them: a MiB at a time. */
async function readServed(path: string, length: number): Promise<Buffer> {
  const socket = connect(path);
  const [head, step] = [16, 1 << 20];
  const ask = (offset: number) => {
    const request = Buffer.alloc(28);
    request.writeUInt32BE(0x25609513, 0);
    request.writeBigUInt64BE(BigInt(offset), 16);
    request.writeUInt32BE(step, 24);
    socket.write(request);
  };
  const all: Buffer[] = [];
  let answer = Buffer.alloc(0);
  ask(0);
  for await (const piece of socket) {
    answer = Buffer.concat([answer, piece as Buffer]);
    if (answer.length < head + step) continue;
    all.push(answer.subarray(head));
    answer = Buffer.alloc(0);
    if (all.length * step >= length) break;
    ask(all.length * step);
  }
  socket.destroy();
  return Buffer.concat(all);
}

describe.skipIf(process.getuid?.() !== 0)('a version as a block device', { timeout: 120_000 }, () => {
  beforeAll(async () => {
    work = await mkdtemp(join(tmpdir(), 'imprint-version-device-'));
    context = createContext({ data: join(work, 'data'), log: silentLog });
    makeEveryEntry(join(work, 'tree'));
    await makeGoldenTree(join(work, 'tree'));
    const request = { source: join(work, 'tree'), name: 'web', noDefaultExcludes: true, keepSecrets: true };
    digest = (await captureImage(context, request, Task.silent())).digest as Digest;
    store = await openStore(join(work, 'data/store'));
  });
  afterAll(async () => {
    await store?.close();
    await context?.[Symbol.asyncDispose]();
    if (work !== undefined) execFileSync('rm', ['-rf', work]);
  });

  const make = (file: string, room = 32 << 20) =>
    VersionDevice.make(
      { store, digest, size, ...place, file: join(work, file), processes: systemProcesses, room },
      Task.silent(),
    );

  /** What the writers of disk images put into a file. */
  async function written(file: string): Promise<Buffer> {
    const tree = new Ext4Tree();
    for await (const batch of store.entries(digest)) for (const entry of batch) tree.add(entry);
    using disk = DiskFile.create(join(work, file));
    disk.resize(size);
    const wish = {
      path: disk.path,
      offset: 0,
      size,
      ...place,
      journal: journalFor(size),
      inodes: inodesFor(tree, size),
    };
    await makeExt4InFile(systemProcesses, wish);
    const content = new DiskContent();
    writeExt4(tree, blocksOf(disk, 0, blockSize), (piece) => content.add(piece));
    await content.write(store, digest, (position, bytes) => disk.write(position, bytes), Task.silent());
    return readFile(disk.path);
  }

  it('has the bytes that a file system would have into which it was written', async () => {
    const expected = await written('written.ext4');
    using device = await make('own-1.ext4');
    let seed = 12_345;
    const random = (below: number) => {
      seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
      return seed % below;
    };
    await Promise.all(
      Array.from({ length: 400 }, async () => {
        const position = random(size / 512) * 512;
        const length = Math.min(512 * (1 + random(256)), size - position);
        const read = await device.read(position, length);
        expect(read.equals(expected.subarray(position, position + length)), `${length} bytes at ${position}`).toBe(
          true,
        );
      }),
    );
    for (let position = 0; position < size; position += 2 ** 20) {
      expect((await device.read(position, 2 ** 20)).equals(expected.subarray(position, position + 2 ** 20))).toBe(true);
    }
    execFileSync('e2fsck', ['-fn', join(work, 'written.ext4')]);
  });

  it('is the same where it is made again, and takes little room of its own', async () => {
    using first = await make('own-2.ext4');
    using second = await make('own-3.ext4');
    expect((await first.read(0, 4 << 20)).equals(await second.read(0, 4 << 20))).toBe(true);
    const blocks = Number(execFileSync('stat', ['-c', '%b', join(work, 'own-2.ext4')], { encoding: 'utf8' })) * 512;
    expect(blocks).toBeLessThan(24 << 20);
  });

  it('fetches a frame once for all who want it, and again where there was no room to keep it', async () => {
    using device = await make('own-4.ext4', size);
    await Promise.all(Array.from({ length: 16 }, () => device.read(0, size / 4)));
    expect(device.fetched.frames).toBe(device.fetched.order.length);
    using cramped = await make('own-5.ext4', 0);
    for (let round = 0; round < 2; round += 1) await cramped.read(0, size);
    expect(cramped.fetched.frames).toBeGreaterThan(cramped.fetched.order.length);
  });

  it('gives out nothing that is wrong, and asks again', async () => {
    using device = await make('own-6.ext4', 0);
    const directory = join(work, 'data/store/packs');
    const [pack = ''] = (await readdir(directory, { recursive: true })).filter((name) => name.endsWith('.pack'));
    await using file = await open(join(directory, pack), 'r+');
    const good = Buffer.alloc(64);
    await file.read(good, 0, 64, 0);
    await file.write(Buffer.alloc(64, 0xff), 0, 64, 0);
    expect(
      await device.read(0, size).then(
        () => 'read',
        (error) => toImprintError(error).code,
      ),
    ).toBe('corrupt-pack');
    await file.write(good, 0, 64, 0);
    await device.read(0, size);
  });

  it.each([
    [
      'is pulled out',
      (packs: string) => rename(packs, `${packs}-away`),
      (packs: string) => rename(`${packs}-away`, packs),
    ],
    ['has a byte that turned', flipFirst, flipFirst],
  ] as const)('waits where its store %s, says why, and goes on when that is mended', async (_what, break_, mend) => {
    const copy = join(work, `copy-${Math.random()}`);
    execFileSync('cp', ['-a', join(work, 'data/store'), copy]);
    const [directory, said, end] = [`${copy}-served`, [] as string[], new AbortController()];
    await mkdir(directory);
    const wish = { location: copy, image: 'web', digest, fileSystem: 'ext4', size, ...place, directory, room: 1 };
    const serving = serveLiveSource(JSON.stringify(wish), {
      ...{ processes: systemProcesses, clock: systemClock, signal: end.signal },
      openStore: (location: string) => openStore(location),
      say: (line: string) => said.push(line),
    });
    await expect.poll(() => said.length, { timeout: 30_000 }).toBeGreaterThan(0);
    const problems = () =>
      said
        .map((line) => JSON.parse(line) as { problem?: string | null })
        .filter(({ problem }) => problem !== undefined);
    await break_(join(copy, 'packs'));
    using direct = await make(`mended-${Math.random()}.ext4`);
    const reading = readServed(join(directory, 'blocks'), 64 << 20);
    await expect.poll(problems, { timeout: 30_000 }).toEqual([{ problem: expect.any(String) }]);
    // It does not give up, nor give out what is wrong.
    expect(await Promise.race([reading, new Promise((resolve) => setTimeout(resolve, 1500, 'waits'))])).toBe('waits');
    await mend(join(copy, 'packs'));
    expect((await reading).equals(await direct.read(0, 64 << 20))).toBe(true);
    expect(problems()).toEqual([{ problem: expect.any(String) }, { problem: null }]);
    end.abort();
    await serving;
  });

  it('refuses what does not fit', async () => {
    const wish = {
      store,
      digest,
      ...place,
      processes: systemProcesses,
      room: 0,
      size: 16 << 20,
      file: join(work, 'small.ext4'),
    };
    await expect(VersionDevice.make(wish, Task.silent())).rejects.toThrow();
    using device = await make('own-7.ext4');
    await expect(device.read(size - 512, 1024)).rejects.toThrow(RangeError);
    await rm(join(work, 'small.ext4'), { force: true });
  });

  it('fetches what is known to be wanted before it is asked for, as far as there is room', async () => {
    using first = await make('learns.ext4');
    for (let at = 0; at < 64 * 2 ** 20; at += 1 << 20) await first.read(at, 1 << 20);
    const { order } = first.fetched;
    expect(order.length).toBeGreaterThan(1);
    using second = await make('ahead.ext4', 256 << 20);
    await second.fetchAhead([...order, `${'f'.repeat(64)} 0`], new AbortController().signal);
    expect(second.fetched).toMatchObject({ frames: order.length, order: [] });
    for (let at = 0; at < 64 * 2 ** 20; at += 1 << 20) await second.read(at, 1 << 20);
    expect(second.fetched).toEqual({ frames: order.length, order });
    using small = await make('small.ext4', 1);
    await small.fetchAhead(order, new AbortController().signal);
    expect(small.fetched.frames).toBe(0);
  });

  it('is given to the kernel by a process that says when it can, and why it cannot', async () => {
    const said: string[] = [];
    const end = new AbortController();
    const directory = join(work, 'served');
    await mkdir(directory);
    const wish = { location: join(work, 'data/store'), image: 'web', digest, fileSystem: 'ext4', size, ...place };
    const server = {
      ...{ processes: systemProcesses, clock: systemClock, signal: end.signal },
      openStore: (location: string) => openStore(location),
      say: (line: string) => said.push(line),
    };
    const serving = serveLiveSource(JSON.stringify({ ...wish, directory, room: 1 << 20 }), server);
    while (said.length === 0) await new Promise((resolve) => setTimeout(resolve, 20));
    const { ready, zeros } = JSON.parse(said[0] ?? '') as { ready: number; zeros: { start: number; length: number }[] };
    expect(ready).toBe(size);
    expect(zeros.reduce((sum, { length }) => sum + length, 0)).toBeGreaterThan(size / 2);
    using direct = await make('direct.ext4');
    const socket = connect(join(directory, 'blocks'));
    const request = Buffer.alloc(28);
    request.writeUInt32BE(0x25609513, 0);
    request.writeUInt32BE(4096, 24);
    socket.write(request);
    const answer: Buffer[] = [];
    for await (const piece of socket) {
      answer.push(piece as Buffer);
      if (Buffer.concat(answer).length >= 16 + 4096) break;
    }
    for (const { start, length } of zeros)
      expect((await direct.read(start, length)).equals(Buffer.alloc(length)), `zeros at ${start}`).toBe(true);
    expect(
      Buffer.concat(answer)
        .subarray(16)
        .equals(await direct.read(0, 4096)),
    ).toBe(true);
    socket.destroy();
    end.abort();
    await serving;
    const other = { ...wish, digest: `sha256:${'0'.repeat(64)}`, directory, room: 1 << 20 };
    await expect(
      serveLiveSource(JSON.stringify(other), { ...server, signal: AbortSignal.timeout(60_000) }),
    ).rejects.toThrow();
    expect(JSON.parse(said.at(-1) ?? '')).toMatchObject({
      failed: { code: expect.any(String), message: expect.any(String) },
    });
  });
});
