import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CaptureRequest } from '../../src/contract/operations/capture.ts';
import type { RawPath } from '../../src/foundation/brand.ts';
import { Task, type TaskEvent } from '../../src/foundation/task.ts';
import { parseMountInfo } from '../../src/machine/mounts.ts';
import type { SnapshotStep } from '../../src/machine/snapshot-plan.ts';
import { captureImage } from '../../src/operations/capture-image.ts';
import { checkoutImage } from '../../src/operations/checkout-image.ts';
import { createContext } from '../../src/operations/context.ts';
import { silentLog } from '../../src/operations/log.ts';
import { type Keeper, type KeeperOptions, startKeeper } from '../../src/system/golden-keeper.ts';
import { systemProcesses } from '../../src/system/run.ts';
import { mountLoop } from './loop-file-system.ts';
import { canRunSshd, startSshd, type TestSshd } from './sshd.ts';

const launcher = join(import.meta.dirname, '../../imprint');
const able = await canRunSshd();

describe.skipIf(!able)('a consistent capture', () => {
  let work: string;
  let sshd: TestSshd;

  beforeAll(async () => {
    work = await mkdtemp(join(tmpdir(), 'imprint-snapshot-'));
    sshd = await startSshd();
  });
  afterAll(async () => {
    await sshd[Symbol.asyncDispose]();
    await rm(work, { recursive: true, force: true });
  });

  it('is of one moment from a btrfs snapshot, here and over ssh, with subvolumes inside; nothing is left of it', async () => {
    using loop = mountLoop('btrfs', 400);
    const tree = join(loop.path, 'system');
    run('btrfs', 'subvolume', 'create', tree);
    run('btrfs', 'subvolume', 'create', join(tree, 'inner'));
    run('btrfs', 'subvolume', 'create', join(tree, 'inner/deep er'));
    await writeFile(join(tree, 'inner/deep er/file'), 'deep\n');
    for (let index = 0; index < 10; index += 1) await writeFile(join(tree, `big${index}`), noise(1 << 20, index));
    await writeFile(join(tree, 'a-first'), '0');
    await writeFile(join(tree, 'z-last'), '0');
    await delay(3100);
    const before = statSync(loop.path, { bigint: true }).mtimeNs;
    const data = join(work, 'data-btrfs');
    const stop = new AbortController();
    const writing = lockstep(tree, stop.signal);
    const local = await capture(data, { source: tree, name: 'local' });
    const remote = await capture(data, { source: url(tree), name: 'remote', ...login() });
    stop.abort();
    await writing;
    expect(statSync(loop.path, { bigint: true }).mtimeNs).toBe(before);
    for (const { output, events } of [local, remote]) {
      expect(output.warnings).toEqual([]);
      expect(events.some(({ message }) => message.includes('held still'))).toBe(true);
      expect(events.some(({ path }) => path.at(-1)?.startsWith('read again'))).toBe(false);
      const out = await checkout(data, output.reference);
      const [first, last] = await counters(out);
      expect(first - last, `${first} and ${last}`).toBeLessThanOrEqual(1);
      expect(first).toBeGreaterThan(0);
      expect(await readFile(join(out, 'inner/deep er/file'), 'utf8')).toBe('deep\n');
    }
    expect(leftovers(loop.path)).toEqual([]);
    // A quiet tree is the same from a snapshot and live, and hints of the one are good for the other.
    await delay(3100);
    const settled = await capture(data, { source: tree, name: 'local' });
    const live = await capture(data, { source: tree, name: 'local', noSnapshot: true });
    const again = await capture(data, { source: url(tree), name: 'remote', ...login() });
    expect(live.output.digest).toBe(settled.output.digest);
    expect(again.output.digest).toBe(settled.output.digest);
    expect(settled.output.unchangedFiles).toBeGreaterThanOrEqual(11);
    expect(live.output.unchangedFiles).toBe(13);
    expect(again.output.unchangedFiles).toBeGreaterThanOrEqual(11);
  }, 60_000);

  it('leaves nothing on the golden machine when it is killed, when its keeper is, and when all are', async () => {
    using loop = mountLoop('btrfs', 300);
    for (let index = 0; index < 60; index += 1) await writeFile(join(loop.path, `big${index}`), noise(2 << 20, index));
    // The capture itself.
    const words = ['capture', url(loop.path), '--name', 'killed', '-i', sshd.identity];
    const options = sshd.options.flatMap((option) => ['-o', option]);
    const child = spawn(launcher, [...words, ...options, '--json'], {
      env: { ...process.env, IMPRINT_DATA: join(work, 'data-killed') },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let said = '';
    child.stderr.on('data', (piece) => {
      said += piece;
      if (said.includes('"read","kind":"started"') || /"read"\],"kind":"started"/.test(said)) child.kill('SIGKILL');
    });
    await once(child, 'exit');
    expect(child.signalCode, said).toBe('SIGKILL');
    await until(() => leftovers(loop.path).length === 0 && keepers().length === 0);
    // The keeper: its watch cleans up.
    const step = stepFor(loop.path, 'btrfs');
    const keeper = await keep([step]);
    expect(leftovers(loop.path)).toHaveLength(1);
    const place = placeOf(keeper);
    kill(Number(await readFile(join(place, 'outer'), 'utf8')));
    await until(() => leftovers(loop.path).length === 0 && !existsSync(place));
    await keeper[Symbol.asyncDispose]();
    // The keeper and its watch: the next one cleans up.
    const doomed = await keep([step]);
    for (const pid of processesWith(placeOf(doomed))) kill(pid);
    await doomed[Symbol.asyncDispose]();
    expect(leftovers(loop.path)).toHaveLength(1);
    const next = await keep([step]);
    expect(leftovers(loop.path)).toHaveLength(1);
    await next.release();
    expect(leftovers(loop.path)).toEqual([]);
    expect(keepers()).toEqual([]);
    await until(() => processesWith(placeOf(doomed)).length === 0 && processesWith(place).length === 0);
  }, 60_000);

  it('is given up by the machine when no word comes any more', async () => {
    using loop = mountLoop('btrfs', 200);
    const silent = await startKeeper(
      (command, args) => {
        const started = systemProcesses.start('sh', ['-c', command, 'sh', ...args]);
        started.stdin.write = () => true;
        return started;
      },
      { ...quiet, steps: [stepFor(loop.path, 'btrfs')], patience: 4 },
    );
    expect(silent.answer).toMatchObject({ kind: 'ready' });
    await until(() => leftovers(loop.path).length === 0 && keepers().length === 0, 20);
    await silent[Symbol.asyncDispose]();
  }, 40_000);

  it('is a copy made in a frozen moment, for ext4 in a file on a file system that shares blocks', async () => {
    using host = mountLoop('xfs', 600);
    const image = join(host.path, 'root.img');
    run('truncate', '-s', '200M', image);
    run('mkfs.ext4', '-q', '-F', image);
    const root = join(work, 'root-in-file');
    await mkdir(root);
    run('mount', '-o', 'loop', image, root);
    try {
      for (let index = 0; index < 20; index += 1) await writeFile(join(root, `big${index}`), noise(1 << 20, index));
      await writeFile(join(root, 'a-first'), '0');
      await writeFile(join(root, 'z-last'), '0');
      const stop = new AbortController();
      const writing = lockstep(root, stop.signal);
      const { output, events } = await capture(join(work, 'data-frozen'), { source: root, name: 'frozen' });
      stop.abort();
      await writing;
      expect(events.map(({ message }) => message)).toContain(
        `held still: ${root}, read from a copy made while it was frozen`,
      );
      const [first, last] = await counters(await checkout(join(work, 'data-frozen'), output.reference));
      expect(first - last).toBeLessThanOrEqual(1);
      expect(readdirSync(host.path)).toEqual(['root.img']);
      // It is not frozen any more.
      await writeFile(join(root, 'after'), 'written');
    } finally {
      run('umount', root);
      // The loop device lets go of its file a moment later.
      await until(() => !execFileSync('losetup', ['-j', image], { encoding: 'utf8' }).includes(image));
    }
  }, 60_000);

  it('runs the scripts before and after; the one after in any case', async () => {
    using loop = mountLoop('btrfs', 200);
    const scripts = join(work, 'scripts');
    const seen = join(work, 'seen');
    const write = async (stage: string, name: string, text: string) => {
      await mkdir(join(scripts, `${stage}-capture.d`), { recursive: true });
      const path = join(scripts, `${stage}-capture.d`, name);
      await writeFile(path, `#!/bin/sh\n${text}\n`);
      await chmod(path, 0o755);
    };
    await write('pre', '10-stop', `echo "$IMPRINT_STAGE" >> ${seen}; echo stopping`);
    await write('post', '10-start', `echo "$IMPRINT_STAGE" >> ${seen}`);
    await write('post', '20-backup~', `echo never >> ${seen}`);
    const said: string[] = [];
    const told = { ...quiet, onLog: (message: string) => said.push(message) };
    const start = () => startKeeper(local, { ...told, scripts, steps: [stepFor(loop.path, 'btrfs')], patience: 60 });
    // All is a snapshot: what was stopped runs again while the capture reads.
    const keeper = await start();
    await until(async () => (await readFile(seen, 'utf8')) === 'pre\npost\n');
    await keeper.release();
    expect(await readFile(seen, 'utf8')).toBe('pre\npost\n');
    expect(said).toContain('10-stop: stopping');
    // Killed at once.
    await rm(seen);
    await write('pre', '10-stop', `echo pre >> ${seen}; sleep 2`);
    const doomed = start();
    await until(() => existsSync(seen));
    kill(pidIn('outer'));
    await doomed.then((each) => each.release());
    await until(async () => (await readFile(seen, 'utf8')) === 'pre\npost\n');
    await until(() => keepers().length === 0);
    // One that fails: nothing is captured.
    await rm(seen);
    await write('pre', '10-stop', 'exit 7');
    const refused = await start();
    expect(refused.answer).toEqual({ kind: 'script-failed', name: '10-stop', status: '7' });
    await refused.release();
    expect(await readFile(seen, 'utf8')).toBe('post\n');
    expect(leftovers(loop.path)).toEqual([]);
  }, 60_000);

  async function capture(data: string, request: CaptureRequest) {
    await using context = createContext({ data, log: silentLog });
    const events: TaskEvent[] = [];
    const listen = (event: TaskEvent) => events.push(event);
    const output = await Task.run('capture', listen, (task) => captureImage(context, request, task));
    return { output, events };
  }

  async function checkout(data: string, reference: string): Promise<string> {
    const directory = await mkdtemp(join(work, 'out-'));
    await using context = createContext({ data, log: silentLog });
    await Task.run(
      'checkout',
      () => {},
      (task) => checkoutImage(context, { reference, directory }, task),
    );
    return directory;
  }

  function url(directory: string): string {
    return `ssh://root@127.0.0.1:${sshd.port}${encodeURI(directory)}`;
  }

  function login() {
    return { identity: sshd.identity, sshOptions: sshd.options };
  }
});

const quiet: Omit<KeeperOptions, 'steps' | 'patience'> = { onLog: () => {}, onWarning: () => {} };
const local = (command: string, args: readonly string[]) => systemProcesses.start('sh', ['-c', command, 'sh', ...args]);
/** The directory of a keeper that is ready. */
function placeOf({ answer }: Keeper): string {
  if (answer.kind !== 'ready') throw new Error(JSON.stringify(answer));
  return answer.directory;
}

const keep = (steps: SnapshotStep[]) => startKeeper(local, { ...quiet, steps, patience: 60 });

/** Writes the same growing number into two files, one after the other, until it is stopped. */
async function lockstep(directory: string, signal: AbortSignal): Promise<void> {
  for (let count = 1; !signal.aborted; count += 1) {
    await writeFile(join(directory, 'a-first'), String(count));
    await writeFile(join(directory, 'z-last'), String(count));
    await delay(2);
  }
}

async function counters(directory: string): Promise<[number, number]> {
  const read = async (name: string) => Number(await readFile(join(directory, name), 'utf8'));
  return [await read('a-first'), await read('z-last')];
}

function stepFor(point: string, method: SnapshotStep['method']): SnapshotStep {
  const mounts = parseMountInfo(execFileSync('cat', ['/proc/self/mountinfo'], { encoding: 'latin1' }));
  const mount = mounts.find(({ mountPoint }) => mountPoint === point);
  if (mount === undefined) throw new Error(`${point} is not mounted`);
  return { mount, method, source: mount.source, place: '' as RawPath };
}

function leftovers(directory: string): string[] {
  return readdirSync(directory).filter((name) => name.startsWith('.imprint-capture-'));
}

function keepers(): string[] {
  return existsSync('/run/imprint') ? readdirSync('/run/imprint').filter((name) => name.startsWith('capture-')) : [];
}

function pidIn(file: string): number {
  const [keeper = ''] = keepers();
  return Number(execFileSync('cat', [join('/run/imprint', keeper, file)], { encoding: 'utf8' }));
}

/** Processes whose command line names a keeper's directory: those of this test. */
function processesWith(words: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return execFileSync('cat', [`/proc/${pid}/cmdline`], { encoding: 'latin1', stdio: 'pipe' }).includes(words);
      } catch {
        return false;
      }
    })
    .map(Number)
    .filter((pid) => pid !== process.pid);
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended by itself.
  }
}

async function until(condition: () => boolean | Promise<boolean>, seconds = 15): Promise<void> {
  const end = Date.now() + seconds * 1000;
  while (
    !(await Promise.resolve()
      .then(condition)
      .catch(() => false))
  ) {
    if (Date.now() > end) throw new Error(`not within ${seconds} s: ${condition}`);
    await delay(100);
  }
}

function noise(length: number, seed: number): Buffer {
  const bytes = Buffer.alloc(length);
  let state = seed + 1;
  for (let at = 0; at < length; at += 4) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    bytes.writeUInt32LE(state, at);
  }
  return bytes;
}

function run(tool: string, ...args: string[]): void {
  execFileSync(tool, args, { stdio: 'pipe' });
}
