import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { CaptureRequest } from '../../src/contract/operations/capture.ts';
import type { EditOutput } from '../../src/contract/operations/edits.ts';
import type { Digest } from '../../src/foundation/brand.ts';
import { Task } from '../../src/foundation/task.ts';
import { comparePaths } from '../../src/image/entry.ts';
import { captureImage } from '../../src/operations/capture-image.ts';
import { catFile } from '../../src/operations/cat-file.ts';
import { type Context, createContext } from '../../src/operations/context.ts';
import { listEdits } from '../../src/operations/edit/manage-edits.ts';
import { silentLog } from '../../src/operations/log.ts';
import { makeBusyboxTree } from './busybox-tree.ts';

const launcher = join(import.meta.dirname, '../../imprint');
let scratch: string;
let data: string;
let base: string;
/** Each test edits an image of its own, a version of the same tree. */
let image: string;
let count = 0;

interface Outcome {
  status: number | null;
  stdout: string;
  stderr: string;
}

function start(words: readonly string[]): ChildProcess {
  const { IMPRINT_SERVER: _1, IMPRINT_STORE: _2, IMPRINT_TOKEN: _3, ...inherited } = process.env;
  return spawn(launcher, words, { env: { ...inherited, IMPRINT_DATA: data }, stdio: ['ignore', 'pipe', 'pipe'] });
}

async function finish(child: ChildProcess): Promise<Outcome> {
  if (!child.stdout || !child.stderr) throw new Error('the streams are piped');
  const status = new Promise<number | null>((resolve) => child.on('close', resolve));
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  return { status: await status, stdout, stderr };
}

const imprint = (...words: string[]) => finish(start(words));

/** A shell line in a copy of `reference`. */
const edit = (reference: string, line: string, ...options: string[]) =>
  imprint('edit', reference, '--json', ...options, '--', 'sh', '-c', line);

async function committed(outcome: Promise<Outcome>): Promise<EditOutput> {
  const { status, stdout, stderr } = await outcome;
  expect(status, stderr).toBe(0);
  return JSON.parse(stdout) as EditOutput;
}

/** What is only looked at, or made ready, need not start a program each time. */
async function inContext<Result>(work: (context: Context) => Promise<Result>): Promise<Result> {
  await using context = createContext({ data, log: silentLog });
  return await work(context);
}

const edits = () => inContext(async (context) => (await listEdits(context)).edits);

const capture = (source: string, name: string, options: Partial<CaptureRequest> = {}) =>
  inContext((context) => captureImage(context, { source, name, ...options }, Task.silent()));

const recordOf = (reference: string) =>
  inContext(async (context) => (await (await context.store()).resolve(reference)).record);

const cat = (reference: string, path: string) =>
  inContext(async (context) => {
    const parts: Uint8Array[] = [];
    for await (const part of catFile(context, { reference, path }, Task.silent())) parts.push(part);
    return Buffer.concat(parts).toString();
  });

const paths = (reference: string) =>
  inContext(async (context) => {
    const store = await context.store();
    const found: string[] = [];
    const { digest } = (await store.resolve(reference)).record;
    for await (const entries of store.entries(digest as Digest)) found.push(...entries.map(({ path }) => path));
    return found;
  });

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'imprint-edit-'));
  data = join(scratch, 'data');
  base = join(scratch, 'tree');
  await makeBusyboxTree(base);
});
beforeEach(async () => {
  count += 1;
  image = `web${count}`;
  await capture(base, image);
});
afterAll(() => rm(scratch, { recursive: true, force: true }));

describe('imprint edit', () => {
  it('makes the next version of what a command did, and reads nothing else', async () => {
    const output = await committed(
      edit(image, 'echo "hello $IMPRINT_EDIT" > /etc/motd', '--tag', 'greeting', '-m', 'Greet'),
    );
    expect(output).toMatchObject({ outcome: 'committed', reference: `${image}:2`, tags: ['greeting'], signed: true });
    expect(output.stats.files - output.unchangedFiles).toBe(1);
    expect(output.stats.newChunks).toBe(1);
    expect(await cat(`${image}:greeting`, '/etc/motd')).toMatch(/^hello web/);
    expect(await paths(image)).toEqual([...(await paths(`${image}:1`)), 'etc/motd'].toSorted(comparePaths));
    const record = await recordOf(image);
    expect(record).toMatchObject({
      message: 'Greet',
      source: { location: `edit of ${image}:1`, system: { id: 'test' } },
    });
    expect(record.parent).toBe((await recordOf(`${image}:1`)).digest);
    expect(await edits()).toEqual([]);
    expect(await readdir(join(data, 'edits'))).toEqual([]);
  });

  it('makes none where nothing was changed, and leaves no trace of its mounts', async () => {
    const look = 'test -e /proc/1 && test -e /dev/null && test -e /sys/kernel && test -x /usr/sbin/policy-rc.d';
    const output = await committed(edit(image, `${look} && test -s /etc/resolv.conf || test ! -s /etc/resolv.conf`));
    expect(output).toMatchObject({ outcome: 'unchanged', reference: `${image}:1` });
  });

  it('throws away what ends with another status, or keeps it to go on with', async () => {
    expect(await edit(image, 'rm /etc/hostname; exit 7')).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('edit-discarded'),
    });
    expect(await edits()).toEqual([]);
    const kept = await edit(image, 'echo one > /one; exit 7', '--keep');
    expect(kept).toMatchObject({ status: 1, stderr: expect.stringContaining('edit-kept') });
    const [found] = await edits();
    expect(found).toMatchObject({ base: `${image}:1`, image, busy: false });
    const output = await committed(
      imprint('edit', '--resume', found?.id ?? '', '--json', '--', 'sh', '-c', 'echo two > /two'),
    );
    expect(await paths(output.reference)).toEqual(expect.arrayContaining(['one', 'two']));
    expect(await edits()).toEqual([]);
  });

  it('has namespaces of its own, and no disk', async () => {
    const { status, stderr } = await edit(
      image,
      [
        'test "$(hostname)" = golden && hostname other',
        // Only what belongs to the tree is mounted; process 1 is not this machine's.
        'test $(grep -c . /proc/mounts) -lt 20 && ! grep -q systemd /proc/1/cmdline',
        '! ls -l /dev | grep -q ^b',
        'mknod /disk b 7 0 && ! dd if=/disk of=/dev/null bs=512 count=1 2> /dev/null && rm /disk',
        '! (echo 1 > /proc/sys/kernel/printk) 2> /dev/null',
        '/usr/sbin/policy-rc.d; test $? = 101',
      ].join('\n'),
    );
    expect({ status, stderr }).toMatchObject({ status: 0 });
    expect((await readFile('/proc/sys/kernel/hostname', 'utf8')).trim()).not.toMatch(/^(golden|other)$/);
  });

  it('ends what is left running, and gives it a moment', async () => {
    const trap = "(trap 'echo ended > /ended; exit' TERM; echo > /ready; while :; do sleep 0.1; done) &";
    const { reference } = await committed(edit(image, `${trap}\nwhile ! test -e /ready; do sleep 0.05; done`));
    expect(await cat(reference, '/ended')).toBe('ended\n');
  });

  it('leaves a policy-rc.d of the image as it is', async () => {
    const tree = join(scratch, 'policy');
    await makeBusyboxTree(tree, {
      'usr/sbin/policy-rc.d': '#!/bin/sh\nexit 0\n',
      'etc/resolv.conf': 'nameserver 192.0.2.1\n',
    });
    await capture(tree, `${image}-policy`);
    const { reference } = await committed(
      edit(`${image}-policy`, '/usr/sbin/policy-rc.d; test $? = 101 && touch /done'),
    );
    expect(await cat(reference, '/usr/sbin/policy-rc.d')).toBe('#!/bin/sh\nexit 0\n');
    expect(await cat(reference, '/etc/resolv.conf')).toBe('nameserver 192.0.2.1\n');
  });

  it('takes out secrets that came with the edit, and leaves those of the version', async () => {
    const first = await committed(
      edit(image, 'mkdir /etc/ssh /root; touch /etc/machine-id; echo k > /etc/ssh/sshd_config'),
    );
    const line = 'echo s > /etc/ssh/ssh_host_rsa_key; echo abc > /etc/machine-id; echo x > /tmp/scratch; echo > /new';
    const second = await committed(edit(first.reference, line));
    expect(second.scrubbed.toSorted()).toEqual(['etc/machine-id', 'etc/ssh/ssh_host_rsa_key']);
    expect(await paths(second.reference)).not.toContain('etc/ssh/ssh_host_rsa_key');
    expect(await paths(second.reference)).not.toContain('tmp/scratch');
    expect(await cat(second.reference, '/etc/machine-id')).toBe('');
    const tree = join(scratch, 'secrets');
    await makeBusyboxTree(tree, { 'etc/ssh/ssh_host_rsa_key': 'golden', 'etc/machine-id': 'golden', 'tmp/old': 'old' });
    await capture(tree, `${image}-secret`, { keepSecrets: true, noDefaultExcludes: true });
    const third = await committed(edit(`${image}-secret`, 'echo more > /more'));
    expect(third.scrubbed).toEqual([]);
    expect(await cat(third.reference, '/etc/ssh/ssh_host_rsa_key')).toBe('golden');
    expect(await paths(third.reference)).toContain('tmp/old');
  });

  it('lets two at a time not meet', async () => {
    // Each waits for a sign that the other is there, which only the outside can give.
    const both = ['one', 'two'].map((name) =>
      edit(
        image,
        `echo > /${name}; while ! test -e /go; do sleep 0.05; done; ! ls / | grep -v ${name} | grep -qE 'one|two'; rm /go`,
      ),
    );
    const trees = await until(async () => {
      const names = await readdir(join(data, 'edits')).catch(() => []);
      const roots = names
        .filter((name) => name.startsWith(`${image}-`))
        .map((name) => join(data, 'edits', name, 'root'));
      const busy = await Promise.all(
        roots.map(async (root) =>
          (await readdir(root).catch((): string[] => [])).some((name) => name === 'one' || name === 'two'),
        ),
      );
      return roots.length === 2 && busy.every(Boolean) ? roots : undefined;
    });
    expect((await edits()).filter(({ busy }) => busy)).toHaveLength(2);
    for (const root of trees) await writeFile(join(root, 'go'), '');
    const outputs = await Promise.all(both.map((outcome) => committed(outcome)));
    expect(outputs.map(({ number }) => number).toSorted()).toEqual([2, 3]);
    const last = outputs.find(({ number }) => number === 3);
    expect(last?.warnings.join()).toContain(`${image}:2`);
    expect((await paths(`${image}:3`)).filter((path) => path === 'one' || path === 'two')).toHaveLength(1);
  });

  it('refuses what is no system, and names that are not there', async () => {
    const tree = join(scratch, 'plain');
    await makeBusyboxTree(tree);
    await rm(join(tree, 'bin'), { recursive: true });
    await capture(tree, `${image}-plain`);
    expect(await imprint('edit', `${image}-plain`, '--json')).toMatchObject({
      status: 4,
      stderr: expect.stringContaining('edit-unfit'),
    });
    expect(await imprint('edit', 'nothing', '--', 'true')).toMatchObject({ status: 3 });
    expect(await imprint('edit', '--resume', 'nothing')).toMatchObject({ status: 3 });
    expect(await imprint('edit', '--discard', 'nothing', '--yes')).toMatchObject({ status: 3 });
    expect(await imprint('edit')).toMatchObject({ status: 2 });
    expect(await edits()).toEqual([]);
  });
});

describe('an edit that is killed', () => {
  it('leaves no process and no mount, and goes on where it was', async () => {
    // A number that no other process on the machine has in its command line.
    const mark = `${100_000 + Math.floor(Math.random() * 800_000)}`;
    const child = start(['edit', image, '--', 'sh', '-c', `echo done > /half; sleep ${mark}`]);
    const ending = finish(child);
    await until(async () => ((await processesWith(`sleep\0${mark}`)).length > 0 ? true : undefined));
    expect(await edits()).toMatchObject([{ busy: true }]);
    const [{ id = '' } = {}] = await edits();
    expect(await imprint('edit', '--resume', id)).toMatchObject({ status: 4 });
    child.kill('SIGKILL');
    await ending;
    await until(async () => ((await processesWith(mark)).length === 0 ? true : undefined));
    expect(await readFile('/proc/self/mountinfo', 'utf8')).not.toContain(id);
    expect(await edits()).toMatchObject([{ id, busy: false }]);
    const { reference } = await committed(imprint('edit', '--resume', id, '--json', '--', 'true'));
    expect(await cat(reference, '/half')).toBe('done\n');
    expect(await paths(reference)).not.toContain('usr/sbin/policy-rc.d');
    expect(await paths(reference)).not.toContain('dev');
  });

  it('begins again where it was killed before its tree was whole', async () => {
    const child = start(['edit', image, '--', 'true']);
    const ending = finish(child);
    const directory = await until(async () => {
      const names = await readdir(join(data, 'edits')).catch(() => []);
      const name = names.find((each) => each.startsWith(`${image}-`));
      return name !== undefined && (await readdir(join(data, 'edits', name))).includes('edit.json') ? name : undefined;
    });
    child.kill('SIGKILL');
    await ending;
    const found = await edits();
    // It may have been quicker than we.
    if (found.length === 0) return;
    expect(found).toMatchObject([{ id: directory }]);
    const { reference } = await committed(imprint('edit', '--resume', directory, '--json', '--', 'touch', '/whole'));
    expect(await paths(reference)).toEqual([...(await paths(`${image}:1`)), 'whole'].toSorted(comparePaths));
  });
});

/** Waits for a thing to come; fails after 30 seconds. */
async function until<Result>(look: () => Promise<Result | undefined>): Promise<Result> {
  for (const end = Date.now() + 30_000; Date.now() < end; await delay(20)) {
    const found = await look();
    if (found !== undefined) return found;
  }
  throw new Error('it did not come');
}

/** Processes of this machine whose command line has `words` in it (arguments end in NUL). */
async function processesWith(words: string): Promise<string[]> {
  const names = (await readdir('/proc')).filter((name) => /^\d+$/.test(name) && name !== String(process.pid));
  const lines = await Promise.all(names.map((name) => readFile(`/proc/${name}/cmdline`, 'latin1').catch(() => '')));
  return names.filter((_, index) => lines[index]?.includes(words));
}
