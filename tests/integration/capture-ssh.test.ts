import { randomBytes } from 'node:crypto';
import { appendFile, mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CaptureRequest } from '../../src/contract/operations/capture.ts';
import { Task, type TaskEvent } from '../../src/foundation/task.ts';
import { captureImage } from '../../src/operations/capture-image.ts';
import { createContext } from '../../src/operations/context.ts';
import { silentLog } from '../../src/operations/log.ts';
import { openStore } from '../../src/store/open-store.ts';
import { systemProcesses } from '../../src/system/run.ts';
import { makeEveryEntry } from './every-entry.ts';
import { canRunSshd, startSshd, type TestSshd } from './sshd.ts';

const able = await canRunSshd();

describe.skipIf(!able)('capture over ssh', () => {
  let work: string;
  let sshd: TestSshd;

  beforeAll(async () => {
    work = await mkdtemp(join(tmpdir(), 'imprint-capture-'));
    sshd = await startSshd();
  });
  afterAll(async () => {
    await sshd[Symbol.asyncDispose]();
    // Its paths are longer than Node can remove.
    await systemProcesses.run('rm', ['-rf', work]);
  });

  it('makes the very manifest that a capture of the directory makes, of every kind of entry', async () => {
    const tree = join(work, 'every-kind');
    makeEveryEntry(tree);
    await delay(200);
    const direct = await capture(join(work, 'data-equal'), { source: tree, name: 'direct' });
    const remote = await capture(join(work, 'data-equal'), { source: url(tree), name: 'remote', ...login(sshd) });
    expect(remote.output.warnings).toEqual([]);
    expect(remote.output.digest).toBe(direct.output.digest);
    expect(remote.output.stats.newChunks).toBe(0);
    expect(remote.output.stats).toEqual({ ...direct.output.stats, newChunks: 0, newBytes: 0 });
  });

  it('reads only what changed when it is captured again', async () => {
    const tree = join(work, 'again');
    await mkdir(tree);
    for (let index = 0; index < 20; index += 1) await writeFile(join(tree, `file${index}`), `content ${index}`);
    await delay(3100);
    const data = join(work, 'data-again');
    await capture(data, { source: url(tree), name: 'again', ...login(sshd) });
    await writeFile(join(tree, 'file3'), 'other');
    const second = await capture(data, { source: url(tree), name: 'again', ...login(sshd) });
    expect(second.output.unchangedFiles).toBe(19);
    expect(second.output.stats.newChunks).toBe(1);
    const paranoid = await capture(data, { source: url(tree), name: 'again', paranoid: true, ...login(sshd) });
    expect(paranoid.output.unchangedFiles).toBe(0);
    expect(paranoid.output.digest).toBe(second.output.digest);
  });

  it('reads a file that changes again, and says so where it will not hold still', async () => {
    const tree = join(work, 'busy');
    await mkdir(tree);
    await writeFile(join(tree, 'still'), 'still');
    await writeFile(join(tree, 'busy'), 'start');
    const stop = new AbortController();
    const writing = (async () => {
      while (!stop.signal.aborted) {
        await appendFile(join(tree, 'busy'), 'more\n');
        await delay(5);
      }
    })();
    const { output, events } = await capture(join(work, 'data-busy'), {
      source: url(tree),
      name: 'busy',
      ...login(sshd),
    });
    stop.abort();
    await writing;
    expect(output.warnings).toEqual([expect.stringContaining('busy kept changing')]);
    expect(events.filter(({ kind, path }) => kind === 'started' && path.at(-1)?.startsWith('read again'))).toHaveLength(
      3,
    );
    expect(output.stats.files).toBe(2);
  });

  it('scrubs the secrets of a whole system and leaves out what no image needs, unless told otherwise', async () => {
    const tree = join(work, 'system');
    for (const directory of ['etc/ssh', 'usr', 'tmp', 'var/lib/systemd', 'srv']) {
      await mkdir(join(tree, directory), { recursive: true });
    }
    await writeFile(join(tree, 'etc/os-release'), 'ID=debian\nVERSION_ID="12"\nPRETTY_NAME="Debian"\n');
    await writeFile(join(tree, 'etc/machine-id'), '0123456789abcdef0123456789abcdef\n');
    await writeFile(join(tree, 'etc/ssh/ssh_host_rsa_key'), 'secret');
    await writeFile(join(tree, 'var/lib/systemd/random-seed'), 'seed');
    await writeFile(join(tree, 'tmp/rubbish'), 'rubbish');
    await writeFile(join(tree, 'srv/page.iso'), 'big');
    await delay(200);
    const data = join(work, 'data-system');
    const excludes = ['*.iso'];
    const clean = await capture(data, { source: url(tree), name: 'clean', excludes, ...login(sshd) });
    expect(clean.output.scrubbed).toEqual([
      'etc/machine-id',
      'etc/ssh/ssh_host_rsa_key',
      'var/lib/systemd/random-seed',
    ]);
    const paths = await pathsOf(data, 'clean');
    expect(paths).toContain('etc/machine-id');
    expect(paths).toContain('tmp');
    for (const gone of ['etc/ssh/ssh_host_rsa_key', 'tmp/rubbish', 'srv/page.iso']) expect(paths).not.toContain(gone);
    const direct = await capture(data, { source: tree, name: 'direct', excludes });
    expect(direct.output.digest).toBe(clean.output.digest);
    expect([...direct.output.scrubbed].sort()).toEqual(clean.output.scrubbed);
    const kept = await capture(data, { source: url(tree), name: 'kept', keepSecrets: true, ...login(sshd) });
    expect(kept.output.scrubbed).toEqual([]);
    expect(await pathsOf(data, 'kept')).toContain('etc/ssh/ssh_host_rsa_key');
  });

  it('never takes the store and the keys of this server into an image', async () => {
    const tree = join(work, 'with-data');
    await mkdir(join(tree, 'sub'), { recursive: true });
    const data = join(tree, 'sub/data');
    await capture(data, { source: tree, name: 'own' });
    await capture(data, { source: tree, name: 'own' });
    expect(await pathsOf(data, 'own')).toEqual(['', 'sub']);
    await expect(capture(data, { source: join(tree, 'nothing'), name: 'own' })).rejects.toMatchObject({
      code: 'source-not-found',
    });
  });

  it('names a machine that cannot be reached, a key that is refused, a directory that is not there', async () => {
    const data = join(work, 'data-unreachable');
    const port1 = { source: 'ssh://root@127.0.0.1:1/', name: 'none' };
    await expect(capture(data, { ...port1 })).rejects.toMatchObject({ code: 'golden-unreachable', exitStatus: 6 });
    const stranger = {
      source: url(work),
      name: 'none',
      sshOptions: ['UserKnownHostsFile=/dev/null', 'StrictHostKeyChecking=yes'],
    };
    await expect(capture(data, stranger)).rejects.toMatchObject({ code: 'golden-unreachable' });
    await expect(
      capture(data, { source: url(join(work, 'nothing')), name: 'none', ...login(sshd) }),
    ).rejects.toMatchObject({ code: 'source-not-found', exitStatus: 3 });
    await expect(capture(data, { source: 'ssh://root:secret@host', name: 'none' })).rejects.toMatchObject({
      code: 'usage',
    });
  });

  it('makes no version of a machine that is unplugged in the middle, and the next try works', async () => {
    const tree = join(work, 'unplugged');
    await mkdir(tree);
    for (let index = 0; index < 40; index += 1) {
      await writeFile(join(tree, `file${index}`), Buffer.alloc(2 << 20, `${index} some text `));
    }
    const data = join(work, 'data-unplugged');
    await using doomed = await startSshd();
    let killed = false;
    const source = `ssh://root@127.0.0.1:${doomed.port}${tree}`;
    await expect(
      capture(data, { source, name: 'lost', ...login(doomed) }, (event) => {
        if (killed || event.path.at(-1) !== 'read' || event.kind !== 'progress' || !event.done) return;
        killed = true;
        void doomed.kill();
      }),
    ).rejects.toMatchObject({ code: 'golden-lost', exitStatus: 6 });
    expect(killed).toBe(true);
    expect(await versions(data)).toEqual([]);
    const next = await capture(data, { source: url(tree), name: 'lost', ...login(sshd) });
    expect(next.output.number).toBe(1);
  });

  it('says that the disk of the store is full, leaves nothing, and works when there is room', async () => {
    const tree = join(work, 'large');
    await mkdir(tree);
    for (let index = 0; index < 60; index += 1) await writeFile(join(tree, `noise${index}`), randomBytes(1 << 20));
    const data = join(work, 'data-full');
    await mkdir(data);
    await systemProcesses.run('mount', ['-t', 'tmpfs', '-o', 'size=48m', 'imprint-test', data]);
    try {
      const request = { source: url(tree), name: 'large', ...login(sshd) };
      await expect(capture(data, request)).rejects.toMatchObject({ code: 'disk-full', exitStatus: 1 });
      expect(await versions(data)).toEqual([]);
      await systemProcesses.run('mount', ['-o', 'remount,size=200m', data]);
      const { output } = await capture(data, request);
      expect(output.number).toBe(1);
    } finally {
      await systemProcesses.run('umount', [data]);
    }
  });

  async function capture(data: string, request: CaptureRequest, listen: (event: TaskEvent) => void = () => {}) {
    await using context = createContext({ data, log: silentLog });
    const events: TaskEvent[] = [];
    const output = await Task.run(
      'capture',
      (event) => {
        events.push(event);
        listen(event);
      },
      (task) => captureImage(context, request, task),
      { progressInterval: 0 },
    );
    return { output, events };
  }

  async function pathsOf(data: string, reference: string): Promise<string[]> {
    const store = await openStore(join(data, 'store'));
    const version = await store.resolve(reference);
    const paths: string[] = [];
    for await (const batch of store.entries(version.record.digest as never))
      paths.push(...batch.map(({ path }) => path));
    await store.close();
    return paths;
  }

  async function versions(data: string) {
    const store = await openStore(join(data, 'store'));
    return store.versions().finally(() => store.close());
  }

  function url(directory: string): string {
    return `ssh://root@127.0.0.1:${sshd.port}${encodeURI(directory)}`;
  }
});

function login({ identity, options }: TestSshd) {
  return { identity, sshOptions: options };
}
