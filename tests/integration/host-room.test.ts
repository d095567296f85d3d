import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { watchRoom } from '../../src/agent/watch-room.ts';
import type { Digest } from '../../src/foundation/brand.ts';
import type { Clock } from '../../src/foundation/clock.ts';
import { expectSlotRoom } from '../../src/operations/update/expect-room.ts';
import { readHostRoom, relieveHost } from '../../src/operations/update/host-room.ts';
import { showSlots } from '../../src/operations/update/show-slots.ts';
import { lookAtMachine } from '../../src/operations/update/this-machine.ts';
import { AgentlessPlace, entryOf, hostLink, images } from './agentless-place.ts';

const [a, b] = [entryOf('a'), entryOf('b')];
const settled = { pointer: { sequence: 5, good: b, previous: a, tries: 0 }, tries: { sequence: 4, left: 2 } };
const words = `imprint.slot=${b} imprint.seq=5 imprint.kind=good`;
const mebibyte = 1 << 20;

/** `b` runs, a clone of `a`: they share all their blocks. Its root is mounted. */
function sharingPlace(host: 'xfs' | 'btrfs') {
  const place = new AgentlessPlace({ ...settled, host });
  const [one, two] = [images.a, images.b].map((hex) => join(place.host, `images/${hex}.img`)) as [string, string];
  rmSync(one);
  rmSync(two);
  execFileSync('fallocate', ['-l', '48M', one]);
  execFileSync('mke2fs', ['-q', '-F', '-t', 'ext4', one]);
  const root = join(place.directory, 'running');
  mkdirSync(root);
  execFileSync('mount', ['-o', 'loop', one, root]);
  execFileSync('dd', ['if=/dev/urandom', `of=${root}/data`, 'bs=1M', 'count=24', 'status=none', 'conv=fsync']);
  execFileSync('umount', [root]);
  execFileSync('cp', ['--reflink=always', one, two]);
  execFileSync('mount', ['-o', 'loop,errors=remount-ro', two, root]);
  execFileSync('sync', []);
  return {
    ...{ place, root, one, two },
    /** Data of people fills the host partition but for so many bytes. */
    fill: (left: number) => {
      for (let count = 0; count < 400; count += 1) {
        const { bavail, bsize } = statfsSync(place.host);
        const bytes = Math.min(bavail * bsize - left, 8 * mebibyte);
        if (bytes < 65_536) break;
        const file = join(place.host, `data-${count}`);
        if (
          spawnSync('dd', ['if=/dev/zero', `of=${file}`, `bs=${bytes}`, 'count=1', 'status=none', 'conv=fsync'])
            .status !== 0
        )
          break;
      }
      execFileSync('sync', ['--file-system', place.host]);
    },
    /** Whether the system that runs can write anew what it has. */
    write: () => {
      const args = [`of=${root}/data`, 'bs=1M', 'count=24', 'status=none', 'conv=notrunc,fsync'];
      return spawnSync('dd', ['if=/dev/urandom', ...args]).status === 0;
    },
    [Symbol.dispose]() {
      spawnSync('umount', [root]);
      place[Symbol.dispose]();
    },
  };
}

describe.skipIf(process.geteuid?.() !== 0)('a host partition that runs full under images that share blocks', () => {
  it('gives the root that runs errors, where nobody makes room', () => {
    using machine = sharingPlace('xfs');
    machine.fill(0);
    expect(machine.write()).toBe(false);
  });

  it.each(['xfs', 'btrfs'] as const)('loses the way back instead, on %s', async (host) => {
    using machine = sharingPlace(host);
    const { place } = machine;
    const here = place.machine(words);
    const relieve = () => relieveHost(place.directory, async () => here);
    expect(await relieve()).toBeUndefined();
    machine.fill(20 * mebibyte);
    // Nothing is taken away where it is not clear what will boot next.
    const stray = { ...here, words: { entry: a, sequence: 5 } };
    expect(await relieveHost(place.directory, async () => stray)).toBeUndefined();
    expect((await place.look()).pointer).toEqual(settled.pointer);
    const source = { version: { record: { stats: { contentBytes: 1, entries: 1 } } } };
    const work = {
      machine: here,
      view: await lookAtMachine(here),
      source,
      digest: `sha256:${'c'.repeat(64)}` as Digest,
    };
    await expect(expectSlotRoom(work, 'file')).rejects.toMatchObject({
      code: 'slot-unfit',
      message: expect.stringContaining('256 MiB are needed'),
    });
    expect((await showSlots(here)).room?.free).toBeLessThan(96 * mebibyte);
    expect(await relieve()).toMatch(/had only .* left.* web:1 was removed, there is no way back to it/);
    const { pointer, entries } = await place.look();
    expect([pointer, entries.map(({ id }) => id)]).toEqual([{ sequence: 6, good: b, tries: 0 }, [b]]);
    expect(existsSync(machine.one)).toBe(false);
    expect(hostLink(place, 'hn-root.img')).toBe(`images/${images.b}.img`);
    expect(existsSync(join(place.host, 'hn-root-old.img'))).toBe(false);
    // Nothing more can be done, and nothing is.
    expect(await relieve()).toBeUndefined();
    if (host === 'xfs') {
      // All its blocks are its own now, and were reserved: nothing that others write can harm it.
      machine.fill(0);
      expect(machine.write()).toBe(true);
    }
  });

  it('is no matter where they share nothing', async () => {
    using place = new AgentlessPlace(settled);
    expect(await readHostRoom(place.directory)).toBeUndefined();
  });
});

it('says once what keeps it from making room, and goes on', async () => {
  const said: string[] = [];
  const ended = new AbortController();
  const answers = [new Error('busy'), new Error('busy'), undefined, 'done', undefined];
  let asked = 0;
  const clock: Clock = { now: () => 0, sleep: async () => {} };
  const relieve = async () => {
    const answer = answers[asked];
    asked += 1;
    if (asked === answers.length) ended.abort();
    if (answer instanceof Error) throw answer;
    return answer;
  };
  await watchRoom({ clock, signal: ended.signal, relieve, log: (message) => said.push(message) });
  expect(said).toEqual([expect.stringContaining('no room could be made on the host partition'), 'done']);
});
