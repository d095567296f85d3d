import { generateKeyPairSync, hash, sign } from 'node:crypto';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { agentClient } from '../../src/agent/agent-client.ts';
import { machineKey, sendObject } from '../../src/agent/send-object.ts';
import type { AgentObject, ObjectWish } from '../../src/contract/kept-object.ts';
import { objectStatement } from '../../src/contract/kept-object.ts';
import { systemClock } from '../../src/foundation/clock.ts';
import { Task, type TaskEvent } from '../../src/foundation/task.ts';
import { parsePublicKey } from '../../src/image/signature.ts';
import type { InstalledLayout } from '../../src/machine/installed-layout.ts';
import { executeStep } from '../../src/operations/install/executors.ts';
import type { InstallContext } from '../../src/operations/install/install-context.ts';
import { objectFile, parseObjectFile, unpackObject } from '../../src/operations/update/object-file.ts';
import { type KeptObject, keepObject, latestObject } from '../../src/operations/update/object-state.ts';
import { systemProcesses } from '../../src/system/run.ts';
import { fakeProcesses } from '../fake-processes.ts';
import { factsOf, type RunningServer, startServer, TalkingImager } from './server-harness.ts';
import { treeSnapshot } from './tree-snapshot.ts';

let base: string;
let root: string;
beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'imprint-objects-'));
  root = join(base, 'root');
  await mkdir(join(root, 'etc/ssh'), { recursive: true });
  await mkdir(join(root, 'opt/app/deep'), { recursive: true });
  await writeFile(join(root, 'etc/hostname'), 'web01\n');
  await writeFile(join(root, 'etc/ssh/ssh_host_ed25519_key'), 'secret', { mode: 0o600 });
  await symlink('../run/resolv.conf', join(root, 'etc/resolv.conf'));
  await writeFile(Buffer.concat([Buffer.from(`${root}/opt/app/deep/`), Buffer.from([0xff, 0x0a, 0x41])]), 'raw name');
  await systemProcesses.run('mkfifo', [join(root, 'opt/app/pipe')]);
  await chmod(join(root, 'opt/app/deep'), 0o2751);
  return () => rm(base, { recursive: true });
});

const keep = (stateDirectory = join(base, 'state')): Promise<KeptObject> =>
  keepObject({ root, stateDirectory, carry: ['/opt/app'], clock: systemClock });

describe.skipIf(process.geteuid?.() !== 0)('the file of an object', () => {
  it('brings back every entry as it was', async () => {
    const object = await keep();
    const back = await unpackObject(objectFile(object), join(base, 'other'));
    expect(back).toMatchObject({ number: 1, digest: object.digest, created: object.created });
    expect(await treeSnapshot(join(back.directory, 'tree'))).toEqual(
      await treeSnapshot(join(object.directory, 'tree')),
    );
    expect((await latestObject(join(base, 'other')))?.digest).toBe(object.digest);
    expect((await stat(join(base, 'other'))).mode & 0o777).toBe(0o700);
    const some = await unpackObject(objectFile(object), join(base, 'third'), (path) => path.startsWith('opt/'));
    expect(some.entries.map(({ path }) => path)).toContain('opt');
    expect(await readdir(join(some.directory, 'tree/opt'))).toEqual([]);
  });

  it('is refused where it is damaged, or would write elsewhere', async () => {
    const file = objectFile(await keep());
    const lines = zstdDecompressSync(file).toString().trimEnd().split('\n');
    const made = (line: object, at = 1) =>
      zstdCompressSync([...lines.slice(0, at), JSON.stringify(line), ...lines.slice(at)].join('\n'));
    const plain = { type: 'file', mode: 0o644, uid: 0, gid: 0, mtime: [0, 0], content: '' };
    for (const bad of [
      file.subarray(0, 200),
      Buffer.from('nothing'),
      zstdCompressSync(lines.slice(1).join('\n')),
      made({ ...plain, path: '../evil' }),
      made({ ...plain, path: '/etc/evil' }),
      made({ ...plain, path: 'etc/./evil' }),
      made({ ...plain, path: 'not/there' }),
      made({ ...plain, path: 'etc/resolv.conf/below' }, lines.length),
      made({ ...plain, path: 'etc/hostname' }, lines.length),
      made({ ...plain, path: 'x', type: 'socket' }),
    ]) {
      expect(() => parseObjectFile(bad)).toThrow('its file is damaged, or none of an object');
    }
  });
});

describe.skipIf(process.geteuid?.() !== 0)('a new system', () => {
  it('becomes what the machine was, but for what is of this install', async () => {
    await mkdir(join(root, 'etc/imprint/trust'), { recursive: true });
    await mkdir(join(root, 'etc/network'), { recursive: true });
    const old = {
      'etc/imprint/agent.yaml': 'tries: 2\nserver: "http://old:1"\n',
      'etc/imprint/server.pub': 'old key',
      'etc/imprint/trust/seen': 'old',
      'etc/network/interfaces': 'hwaddress 52:54:00:00:00:01\n# 52:54:00:00:00:02\n',
    };
    for (const [path, text] of Object.entries(old)) await writeFile(join(root, path), text);
    const file = objectFile(await keep());
    const target = join(base, 'target');
    await mkdir(join(target, 'etc/imprint'), { recursive: true });
    await writeFile(join(target, 'etc/hostname'), 'fresh\n');
    await writeFile(join(target, 'etc/imprint/server.pub'), 'new key');
    const layout: InstalledLayout = { format: 1, layout: 'slots', boot: 'b-o-o-t', esp: '1234-ABCD', slots: [] };
    const context: InstallContext = {
      ...{ processes: systemProcesses, clock: systemClock, target, restore: async () => {} },
      content: { kernels: [], systemd: true, sshServer: true, selinux: false, runsNode: true, hostKeys: [] },
      object: async () => file,
    };
    const events: TaskEvent[] = [];
    const step = {
      kind: 'lay-object',
      number: 1,
      layout,
      macs: ['52:54:00:00:00:02'],
      server: 'http://new:2',
    } as const;
    await Task.run(
      'install',
      (event) => events.push(event),
      (task) => executeStep({ ...step, macs: [...step.macs] }, context, task),
    );
    const text = (path: string) => readFile(join(target, path), 'utf8');
    expect(await text('etc/hostname')).toBe('web01\n');
    expect(await text('etc/ssh/ssh_host_ed25519_key')).toBe('secret');
    expect((await stat(join(target, 'etc/ssh/ssh_host_ed25519_key'))).mode & 0o777).toBe(0o600);
    expect(await text('etc/imprint/agent.yaml')).toBe('tries: 2\nserver: "http://new:2"\n');
    expect(await text('etc/imprint/server.pub')).toBe('new key');
    expect(await readdir(join(target, 'etc/imprint'))).not.toContain('trust');
    expect(await text('var/lib/imprint/object')).toBe('b-o-o-t 1\n');
    expect((await latestObject(join(target, 'var/lib/imprint/objects')))?.number).toBe(1);
    expect(events.filter(({ kind }) => kind === 'warning').map(({ message }) => message)).toEqual([
      expect.stringContaining('names the network card 52:54:00:00:00:01, which this machine has not'),
    ]);
    const without = { ...context, object: async () => Buffer.from('damaged') };
    const failing = executeStep({ ...step, macs: [] }, without, Task.silent());
    await expect(failing).rejects.toMatchObject({ code: 'object-unfit' });
  });
});

describe.skipIf(process.geteuid?.() !== 0)('an object at the server', () => {
  let server: RunningServer;
  beforeAll(async () => {
    server = await startServer();
  });
  afterAll(() => server[Symbol.asyncDispose]());
  const agent = async () =>
    agentClient(server.url, parsePublicKey(await readFile(join(server.data, 'keys/server.pub'), 'utf8')));
  const objects = async (machine: string) => (await server.read('machine.objects', { machine })).body.objects;

  /** A machine whose agent sends what its root holds, with the key in it. */
  async function sender(name: string, mac: string) {
    await server.call('machine.add', { machines: name, macs: [mac], image: 'web' });
    const client = await agent();
    const facts = factsOf(mac);
    const ask = async () =>
      client.hello({ session: 'b'.repeat(32), facts, report: { program: '1', booted: 1 }, waitSeconds: 0 });
    const sent: AgentObject[] = [];
    await machineKey(root);
    const send = async (wish: ObjectWish = { number: 1 }) =>
      sendObject({
        // The command line's part, here without a process.
        processes: fakeProcesses(() => JSON.stringify(saved)),
        ...{ command: ['imprint'], root, facts, wish, signal: new AbortController().signal },
        send: async (object) => {
          sent.push(object);
          return client.object(object);
        },
      });
    let saved = {};
    const prepare = async () => {
      const object = await keep();
      saved = { digest: object.digest };
      await mkdir('/run/imprint', { recursive: true });
      await writeFile('/run/imprint/object', objectFile(object), { mode: 0o600 });
    };
    return { ask, client, sent, send: async (wish?: ObjectWish) => prepare().then(() => send(wish)) };
  }

  it('is kept where it was asked for, each that is new, ten at most, and told of', async () => {
    const { ask, send, sent, client } = await sender('obj01', '52:54:00:aa:02:01');
    expect((await ask()).object).toBeUndefined();
    expect(await send()).toBe('refused');
    await server.call('machine.set', { machines: 'obj01', rules: { object: 'server' } });
    for (let number = 1; number <= 12; number += 1) {
      await writeFile(join(root, 'etc/hostname'), `obj01-${number}\n`);
      const wish = (await ask()).object;
      expect(wish?.number).toBe(number);
      expect(await send(wish)).toBe('taken');
      // Nothing has changed: nothing is sent.
      expect(await send((await ask()).object)).toBe('same');
    }
    expect((await objects('obj01')).map(({ number }: { number: number }) => number)).toEqual([
      12, 11, 10, 9, 8, 7, 6, 5, 4, 3,
    ]);
    expect((await stat(join(server.data, 'objects'))).mode & 0o077).toBe(0);
    // What somebody heard on the wire is of no use to him.
    for (const heard of sent) expect(await client.object(heard)).toBe('refused');
    const [old] = sent;
    const renumbered = { ...(old as AgentObject), number: 13 };
    expect(await client.object(renumbered)).toBe('refused');
    const { privateKey, publicKey } = generateKeyPairSync('ed25519');
    const sha256 = hash('sha256', Buffer.from(renumbered.content, 'base64'));
    const forged = sign(null, Buffer.from(objectStatement(13, renumbered.digest, sha256)), privateKey);
    const key = publicKey.export({ format: 'pem', type: 'spki' }).toString();
    expect(await client.object({ ...renumbered, key, signature: forged.toString('base64') })).toBe('refused');
    expect(await objects('obj01')).toHaveLength(10);
    expect((await server.call('machine.forget-objects', { machine: 'obj01' })).body).toEqual({
      ...{ machine: 'obj01', forgotten: 10 },
    });
    expect(await send((await ask()).object)).toBe('taken');
    await server.call('machine.rm', { machines: 'obj01' });
    expect(await readdir(join(server.data, 'objects'))).not.toContain('obj01');
  });

  it('comes back to the hardware that replaces a machine, and to nobody else', async () => {
    const { ask, send } = await sender('obj02', '52:54:00:aa:02:02');
    await server.call('machine.set', { machines: 'obj02', rules: { object: 'server' } });
    expect(await send((await ask()).object)).toBe('taken');
    const mac = '52:54:00:aa:02:99';
    await server.call('machine.set', { machines: 'obj02', macs: [mac] });
    await server.call('install.order', { machines: 'obj02', image: 'web' });
    const imager = new TalkingImager(server, factsOf(mac));
    const order = await imager.hello();
    if (order.kind !== 'install') throw new Error(`${order.kind} instead of install`);
    const fetchObject = (body: object) =>
      fetch(`${server.url}/imager/v1/object`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
    const asked = { order: order.id, session: imager.session, number: order.object?.number };
    const answer = await fetchObject(asked);
    const file = Buffer.from(await answer.arrayBuffer());
    expect(hash('sha256', file)).toBe(order.object?.sha256);
    expect(parseObjectFile(file).lines.map(({ path }) => path)).toContain('etc/ssh/ssh_host_ed25519_key');
    expect((await fetchObject({ ...asked, session: 'c'.repeat(32) })).status).toBe(403);
    expect((await fetchObject({ ...asked, number: 7 })).status).toBe(403);
    await imager.outcome(order.id, { kind: 'installed', digest: order.digest, bootedFirmware: 'bios' });
    expect((await fetchObject(asked)).status).toBe(403);
    // The machine's key came back with the object; another would do as well after an install.
    await rm(join(root, 'etc/imprint/machine.key'));
    expect(await machineKey(root)).toBeDefined();
  });
});
