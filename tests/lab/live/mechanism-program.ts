import { readFileSync } from 'node:fs';
import { open, rm, truncate, writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { LiveRecord } from '../../../src/machine/live-record.ts';
import { removeMapped, replaceTable } from '../../../src/system/device-mapper.ts';
import { systemProcesses } from '../../../src/system/run.ts';
import { LiveDisk } from './live-disk.ts';
import { device, findDamage, mounted, readSource, root, say, source } from './live-machine.ts';
import { findLosses, Work } from './work.ts';

/** Moves the same source onto the same disk, under the same work, by each mechanism there is, and measures. */
const disk = '/dev/vdb';
const mebibyte = 2048;
const [size, start, length] = [128 * mebibyte, mebibyte, 255 * mebibyte];
const record: LiveRecord = {
  ...{ sequence: 1, phase: 'copying', source: 'live-mechanisms', size, start, length },
  ...{ changesAt: 223 * mebibyte, changesLength: 32 * mebibyte },
};
const files = await readSource();

/** A way to move: makes the root, and moves it. */
interface Mechanism {
  readonly name: string;
  /** What is mounted. */
  readonly device: string;
  begin(): Promise<void>;
  /** Until the root lies on the disk alone. Calls back when the file system can grow, and when the source is let go of. `half` tells when half is copied. */
  move(happens: (what: 'room' | 'released' | 'half') => Promise<void>, signal: AbortSignal): Promise<void>;
  /** How much is copied, 0 to 1, right after `begin` and the start of the move. */
  copied(): Promise<number>;
  end(): Promise<void>;
}

const env = { DM_DISABLE_UDEV: '1', MDADM_NO_UDEV: '1' };
async function run(tool: string, ...args: string[]): Promise<string> {
  return (await systemProcesses.run(tool, args, { timeout: 180_000, env })).stdout;
}
async function fails(tool: string, ...args: string[]): Promise<boolean> {
  return (
    (
      await systemProcesses.run(tool, args, {
        timeout: 60_000,
        env,
        accept: [0, ...Array.from({ length: 255 }, (_, n) => n + 1)],
      })
    ).status !== 0
  );
}
const sectorsWritten = () => Number(readFileSync('/sys/block/vdb/stat', 'utf8').trim().split(/\s+/)[6]);

/** The source with what is written to it in memory: for mechanisms that write to both sides. */
const writable = {
  loop: '',
  async make(): Promise<void> {
    await writeFile('/run/changes', '');
    await truncate('/run/changes', size * 512);
    this.loop = (await run('losetup', '--find', '--show', '/run/changes')).trim();
    await run('dmsetup', 'create', 'writable', '--table', `0 ${size} snapshot ${source} ${this.loop} N 8`);
  },
  async drop(): Promise<void> {
    await removeMapped(systemProcesses, 'writable');
    if (this.loop !== '') await run('losetup', '--detach', this.loop);
    this.loop = '';
    await rm('/run/changes', { force: true });
  },
};

function ours(): Mechanism {
  let live: LiveDisk | undefined;
  return {
    name: 'snapshot and snapshot-merge',
    device,
    async begin() {
      live = await LiveDisk.begin(disk, source, { first: record, piece: 2 * mebibyte });
    },
    async move(happens, signal) {
      await happens('room');
      const tell = (what: string) => {
        if (what.startsWith('copied') && (live?.map.copied ?? 0) * 2 >= size) void happens('half');
      };
      await live?.move({ released: () => happens('released'), tell, signal });
    },
    copied: async () => (live?.map.copied ?? 0) / size,
    async end() {
      await live?.[Symbol.asyncDispose]();
    },
  };
}

function mirror(): Mechanism {
  const name = 'moved-root';
  const status = async () => {
    const [done = 0, all = 1] = (/ (\d+)\/(\d+) /.exec(await run('dmsetup', 'status', name)) ?? [])
      .slice(1)
      .map(Number);
    return done / all;
  };
  const table = `0 ${size} mirror core 1 1024 2 /dev/mapper/writable 0 ${disk} ${start} 1 handle_errors\n${size} ${length - size} linear ${disk} ${start + size}`;
  return {
    name: 'dm-mirror',
    device: `/dev/mapper/${name}`,
    async begin() {
      await writable.make();
      await run('dmsetup', 'create', name, '--table', `0 ${size} linear /dev/mapper/writable 0`);
    },
    async move(happens, signal) {
      await replaceTable(systemProcesses, name, table);
      await happens('room');
      while ((await status()) < 1) {
        if ((await status()) >= 0.5) await happens('half');
        await sleep(100, undefined, { signal });
      }
      await replaceTable(systemProcesses, name, `0 ${length} linear ${disk} ${start}`);
      await writable.drop();
      await happens('released');
    },
    async copied() {
      // As slow as can be: what it begins with is wanted.
      await writeFile('/sys/module/dm_mirror/parameters/raid1_resync_throttle', '1');
      await replaceTable(systemProcesses, name, table);
      return status();
    },
    async end() {
      await removeMapped(systemProcesses, name);
      await writable.drop();
    },
  };
}

function array(): Mechanism {
  const md = '/dev/md7';
  const progress = () => {
    const text = readFileSync('/sys/block/md7/md/sync_completed', 'utf8');
    const [done, all] = text.split('/').map(Number);
    return all === undefined ? undefined : (done as number) / all;
  };
  const partition = '/dev/mapper/partition';
  const join = async () => {
    await run('mdadm', '--grow', md, '--raid-devices=2', '--force');
    await run('mdadm', md, '--add', partition);
  };
  const degraded = () => readFileSync('/sys/block/md7/md/degraded', 'utf8').trim() !== '0';
  return {
    name: 'md raid1',
    device: md,
    async begin() {
      await writable.make();
      await run('dmsetup', 'create', 'partition', '--table', `0 ${length} linear ${disk} ${start}`);
      await run('mdadm', '--build', md, '--force', '--run', '--level=1', '--raid-devices=1', '/dev/mapper/writable');
    },
    async move(happens, signal) {
      await join();
      while (degraded() || progress() !== undefined) {
        if ((progress() ?? 0) >= 0.5) await happens('half');
        await sleep(100, undefined, { signal });
      }
      await run('mdadm', md, '--fail', '/dev/mapper/writable');
      for (let tries = 0; await fails('mdadm', md, '--remove', '/dev/mapper/writable'); tries += 1) {
        if (tries > 50) throw new Error('the source cannot be taken out of the array');
        await sleep(100);
      }
      await run('mdadm', '--grow', md, '--raid-devices=1', '--force');
      await writable.drop();
      await happens('released');
      await run('mdadm', '--grow', md, '--size=max');
      await happens('room');
    },
    async copied() {
      for (const limit of ['min', 'max']) await writeFile(`/proc/sys/dev/raid/speed_limit_${limit}`, '100');
      await join();
      await sleep(50);
      return progress() ?? 0;
    },
    async end() {
      for (let tries = 0; tries < 50 && (await fails('mdadm', '--stop', md)); tries += 1) await sleep(100);
      await removeMapped(systemProcesses, 'partition');
      await writable.drop();
    },
  };
}

/** What becomes of a write to a device above a source that cannot be written to. */
async function tryToWrite(path: string): Promise<string> {
  try {
    await using file = await open(path, 'r+');
    await file.write(Buffer.alloc(4096), 0, 4096, 0);
    await file.sync();
    return 'a write is kept';
  } catch (error) {
    return `a write fails (${(error as NodeJS.ErrnoException).code})`;
  }
}

async function readOnlySource(): Promise<{ mirror: string; array: string }> {
  const table = `0 ${size} mirror core 1 1024 2 ${source} 0 ${disk} ${start} 1 handle_errors`;
  let [mirror, array] = ['refused', 'refused'];
  if (!(await fails('dmsetup', 'create', 'trial', '--table', table))) {
    const writing = tryToWrite('/dev/mapper/trial');
    mirror = await Promise.race([writing, sleep(10_000, 'a write does not return')]);
    // Only then does the kernel answer what it holds back.
    await run('dmsetup', 'suspend', 'trial');
    await writing;
    await run('dmsetup', 'resume', 'trial');
    await removeMapped(systemProcesses, 'trial');
  }
  const words = ['--build', '/dev/md8', '--force', '--run', '--level=1', '--raid-devices=1', source];
  if (!(await fails('mdadm', ...words))) {
    array = await tryToWrite('/dev/md8');
    await fails('mdadm', '--stop', '/dev/md8');
  }
  return { mirror, array };
}

async function clearDisk(): Promise<void> {
  await using file = await open(disk, 'r+');
  for (let at = 0; at < (start + length) * 512; at += 1 << 20) await file.write(Buffer.alloc(1 << 20), 0, 1 << 20, at);
  await file.sync();
}

async function measure(mechanism: Mechanism) {
  await clearDisk();
  await mechanism.begin();
  const before = sectorsWritten();
  const at: Record<string, number> = {};
  const result = await mounted(async () => {
    const work = new Work(root, { files: 0, churn: 0 }, async () => {}, 20);
    await sleep(1000);
    const began = performance.now();
    const quiet = work.longest;
    const seconds = () => Number(((performance.now() - began) / 1000).toFixed(1));
    const happens = async (what: 'room' | 'released' | 'half') => {
      if (at[what] !== undefined) return;
      at[what] = seconds();
      if (what !== 'room') return;
      await run('resize2fs', mechanism.device);
      at.grown = seconds();
    };
    await mechanism.move(happens, new AbortController().signal);
    await run('resize2fs', mechanism.device);
    at.alone = seconds();
    const longest = work.longest;
    const acknowledged = await work.stop();
    await run('sync');
    const written = Number(((sectorsWritten() - before) / size).toFixed(2));
    return { acknowledged, ...at, quiet: Math.round(quiet), longest: Math.round(longest), written };
  }, mechanism.device);
  const losses = await mounted(() => findLosses(root, result.acknowledged, files), mechanism.device);
  losses.push(...(await findDamage(mechanism.device)));
  await mechanism.end();
  return { ...result, losses };
}

/** Stops a move at half, takes everything down, and begins again: what is copied then, 0 to 1. */
async function again(mechanism: Mechanism): Promise<{ stoppedAt: number; resumesAt: number }> {
  await clearDisk();
  await mechanism.begin();
  const stop = new AbortController();
  let stoppedAt = 0;
  await mechanism
    .move(async (what) => {
      if (what !== 'half') return;
      stoppedAt = 0.5;
      stop.abort();
    }, stop.signal)
    .catch((error: unknown) => {
      if (!stop.signal.aborted) throw error;
    });
  await mechanism.end();
  await mechanism.begin();
  const resumesAt = Number((await mechanism.copied()).toFixed(2));
  await mechanism.end();
  return { stoppedAt, resumesAt };
}

for (const make of [ours, mirror, array]) {
  const { name } = make();
  try {
    say(`MECHANISM ${JSON.stringify({ name, ...(await measure(make())), ...(await again(make())) })}`);
  } catch (error) {
    say(`MECHANISM ${JSON.stringify({ name, failed: String(error) })}`);
    break;
  }
}
say(`READ-ONLY ${JSON.stringify(await readOnlySource())}`);
say(`CLONE ${(await fails('modprobe', 'dm_clone')) ? 'this kernel has no dm-clone' : 'this kernel has dm-clone'}`);
