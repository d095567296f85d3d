import { generateKeyPairSync, hash, sign } from 'node:crypto';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { agentClient } from '../../src/agent/agent-client.ts';
import { objectStatement } from '../../src/contract/kept-object.ts';
import { systemClock } from '../../src/foundation/clock.ts';
import { Task } from '../../src/foundation/task.ts';
import { parsePublicKey, publicKeyOf } from '../../src/image/signature.ts';
import { prepareRestore } from '../../src/operations/boot/restore-boot.ts';
import { objectFile } from '../../src/operations/update/object-file.ts';
import { keepObject } from '../../src/operations/update/object-state.ts';
import { systemProcesses } from '../../src/system/run.ts';
import { bareMac, bareMachine, captureInto, until } from './bare-machine.ts';
import { makeGoldenTree } from './install-tree.ts';
import { type LoopDisk, loopDisk } from './loop-disk.ts';
import { type RunningServer, startServer } from './server-harness.ts';

const gibibyte = 1024 ** 3;
const mac = bareMac;

describe.skipIf(process.getuid?.() !== 0)('a bare machine', { timeout: 120_000 }, () => {
  let server: RunningServer;
  let disk: LoopDisk;

  beforeEach(async () => {
    server = await startServer();
    disk = await loopDisk(3 * gibibyte);
    const golden = join(disk.directory, 'golden');
    await makeGoldenTree(golden);
    await captureInto(server, golden);
  });
  afterEach(async () => {
    await disk[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
  });

  const machine = async () => (await server.read('machine.list')).body.machines[0];
  const name = async (more: object = {}) => {
    await server.call('machine.add', { machines: 'web01', macs: [mac], image: 'golden', ...more });
  };
  const state = (wanted: string) => until(wanted, async () => (await machine())?.state === wanted);

  it('is discovered, and untouched until it is ordered; then it is installed and restarts', async () => {
    let ordered = false;
    const bare = await bareMachine(server, [disk], {
      directory: disk.directory,
      network: () => ({ mac, interface: 'eth0', address: '10.0.0.5', prefix: 24, dns: [] }),
      ordered: async () => {
        ordered = true;
      },
    });
    await state('discovered');
    expect(ordered).toBe(false);
    expect((await systemProcesses.run('blkid', ['-p', disk.device], { accept: [0, 2] })).stdout).toBe('');
    const discovered = (await machine()).name;
    await server.call('machine.approve', { machine: discovered, name: 'web01', image: 'golden' });
    await server.call('install.order', { machines: 'web01' });
    expect(await bare.running).toBe('rebooted');
    expect((await machine()).state).toBe('installed');
    expect(bare.console()).toMatch(/\[ ok \] +\d+\/\d+ restore golden:1/);
    expect(bare.console()).toContain('web01 is installed: restarting');
    expect(ordered).toBe(true);
    // Where it had a fixed address, so has the system that was ordered.
    expect(bare.console()).toMatch(/\[ ok \] .*give it the address 10\.0\.0\.5\/24 \(52:54:00:00:00:01\)/);

    const target = join(disk.directory, 'look');
    await mkdir(target);
    await systemProcesses.run('mount', ['-o', 'ro', `${disk.device}p4`, target]);
    expect(await readFile(join(target, 'etc/hostname'), 'utf8')).toBe('web01\n');
    expect(JSON.parse(await readFile(join(target, 'var/lib/imprint/version.json'), 'utf8'))).toMatchObject({
      ...{ image: 'golden', number: 1 },
    });
    expect(await readdir(join(target, 'var/lib/imprint'))).toContain('manifest');
    // The report of the first boot, as the unit would send it.
    const script = await readFile(join(target, 'usr/lib/imprint/first-boot'), 'utf8');
    await systemProcesses.run('umount', [target]);
    const body = /^body='(.*)'$/m.exec(script)?.[1] ?? '';
    const headers = { 'content-type': 'application/json' };
    await fetch(`${server.url}/imager/v1/outcome`, { method: 'POST', headers, body });
    expect((await machine()).state).toBe('healthy');
  });

  it('is the machine that it was, where the server keeps what made it so', async () => {
    const old = join(disk.directory, 'old');
    await mkdir(join(old, 'etc/ssh'), { recursive: true });
    await writeFile(join(old, 'etc/ssh/ssh_host_ed25519_key'), 'the key that people know', { mode: 0o600 });
    const stateDirectory = join(disk.directory, 'objects');
    const object = await keepObject({ root: old, stateDirectory, clock: systemClock });
    const content = objectFile(object);
    await name();
    await server.call('machine.set', { machines: 'web01', rules: { object: 'server' } });
    const { privateKey, publicKey } = generateKeyPairSync('ed25519');
    const statement = objectStatement(1, object.digest, hash('sha256', content));
    const key = parsePublicKey(await readFile(join(server.data, 'keys/server.pub'), 'utf8'));
    const reception = await agentClient(server.url, key).object({
      ...{ macs: [mac], number: 1, digest: object.digest, content: content.toString('base64') },
      key: publicKey.export({ format: 'pem', type: 'spki' }).toString(),
      signature: sign(null, Buffer.from(statement), privateKey).toString('base64'),
    });
    expect(reception).toBe('taken');
    await server.call('install.order', { machines: 'web01' });
    const bare = await bareMachine(server, [disk], { directory: disk.directory });
    expect(await bare.running).toBe('rebooted');
    expect(bare.console()).toContain('bring back what made it itself (object 1)');
    const target = join(disk.directory, 'look');
    await mkdir(target);
    await systemProcesses.run('mount', ['-o', 'ro', `${disk.device}p4`, target]);
    const found = await readFile(join(target, 'etc/ssh/ssh_host_ed25519_key'), 'utf8');
    await systemProcesses.run('umount', [target]);
    expect(found).toBe('the key that people know');
  });

  it('has the server keep what booted before, once for each order; refuses where nobody can, unless it was told not to', async () => {
    const table = 'label: dos\nlabel-id: 0x1234abcd\nstart=2048, size=20480, type=7, bootable\n';
    await systemProcesses.run('sfdisk', ['--quiet', '--no-reread', '--no-tell-kernel', disk.device], { input: table });
    const before = (await systemProcesses.run('sfdisk', ['--dump', disk.device])).stdout;
    await name({ options: { disk: disk.device, erase: 'windows' } });
    await server.call('install.order', { machines: 'web01' });
    const refused = await bareMachine(server, [disk], {
      directory: disk.directory,
      keepBootCopy: () => Promise.reject(new Error('nobody is there')),
    });
    await state('failed');
    expect((await machine()).problem).toMatchObject({ code: 'boot-unsaved' });
    expect(refused.console()).toMatch(/imprint install\s+web01 --boot-copy none/);
    await refused.stop();
    expect((await systemProcesses.run('sfdisk', ['--dump', disk.device])).stdout).toBe(before);

    // Cut behind the copy, and begun anew: what half an install left is not kept beside it.
    await server.call('install.order', { machines: 'web01' });
    let restoring = false;
    const cut = await bareMachine(server, [disk], {
      directory: disk.directory,
      onRestore: (part) => {
        restoring = true;
        return new Promise((_, reject) => part.signal.addEventListener('abort', reject));
      },
    });
    await until('it restores', async () => restoring);
    await cut.stop();
    const copies = async () => (await server.read('boot-copy.list', { machine: 'web01' })).body.copies;
    expect(await copies()).toHaveLength(1);
    expect((await systemProcesses.run('sfdisk', ['--dump', disk.device])).stdout).not.toBe(before);
    const again = await bareMachine(server, [disk], { directory: disk.directory });
    expect(await again.running).toBe('rebooted');
    expect(again.console()).toMatch(/keep a copy of what boots from \/dev\/loop\d+, at the server/);
    expect(await copies()).toMatchObject([{ number: 1, order: expect.any(String), disk: { path: disk.device } }]);

    const { content } = (await server.read('boot-copy.fetch', { machine: 'web01' })).body;
    const file = join(disk.directory, 'copy.tar.gz');
    await writeFile(file, Buffer.from(content, 'base64'));
    const wish = { file, disk: disk.device, parts: ['table' as const], force: true, undo: `${file}.undo` };
    await using prepared = await prepareRestore(
      { processes: systemProcesses, clock: systemClock },
      wish,
      Task.silent(),
    );
    await prepared.apply(Task.silent());
    expect((await systemProcesses.run('sfdisk', ['--dump', disk.device])).stdout).toBe(before);

    await server.call('install.order', { machines: 'web01', options: { bootCopy: 'none' } });
    const plan = await server.read('install.plan', { machines: 'web01' });
    expect(plan.body.plans[0].steps.join()).not.toContain('keep a copy');
    const without = await bareMachine(server, [disk], {
      directory: disk.directory,
      keepBootCopy: () => Promise.reject(new Error('nobody is there')),
    });
    expect(await without.running).toBe('rebooted');
    expect(await copies()).toHaveLength(1);
  });

  it('with two disks refuses, and goes on once it is told which', async () => {
    await using second = await loopDisk(3 * gibibyte);
    await name();
    const plan = async (more: Record<string, string> = {}) =>
      (await server.read('install.plan', { machines: 'web01', ...more })).body.plans[0];
    expect(await plan()).toMatchObject({ machine: 'web01', image: 'golden:1', steps: [] });
    await server.call('install.order', { machines: 'web01' });
    const bare = await bareMachine(server, [disk, second], { directory: disk.directory });
    await state('failed');
    expect(await plan()).toMatchObject({ refused: { code: 'disk-ambiguous' }, steps: [] });
    const planned = await plan({ disk: second.device, swap: '67108864' });
    expect(planned.disk.path).toBe(second.device);
    expect(planned.steps[0]).toBe(`erase ${second.device}`);
    expect(planned.steps[1]).toContain('swap 64 MiB');
    expect(planned.steps.at(-2)).toBe(`make ${second.device} boot on BIOS`);
    const slots = await plan({ disk: second.device, layout: 'slots', slots: '3', fileSystem: 'xfs' });
    expect(slots.steps).toContain(`make xfs on ${second.device}p6 (slot c)`);
    const files = await plan({ disk: second.device, layout: 'files', fileSystem: 'btrfs' });
    expect(files.steps).toContain(`make the host partition on ${second.device}p4: btrfs`);
    expect((await plan({ machines: 'web01', fileSystem: 'xfs' })).refused.code).toBe('disk-ambiguous');
    expect((await machine()).problem.code).toBe('disk-ambiguous');
    expect(bare.console()).toContain('NOT INSTALLED. NOTHING WAS WRITTEN.');
    for (const { device } of [disk, second]) {
      expect((await systemProcesses.run('blkid', ['-p', device], { accept: [0, 2] })).stdout).toBe('');
    }
    await server.call('machine.set', { machines: 'web01', options: { disk: second.device } });
    expect(await bare.running).toBe('rebooted');
    expect((await systemProcesses.run('blkid', ['-p', disk.device], { accept: [0, 2] })).stdout).toBe('');
    expect((await systemProcesses.run('sfdisk', ['--json', second.device])).stdout).toContain('BIOS boot');
  });

  it('does nothing for a server whose key it does not hold', async () => {
    await name();
    await server.call('install.order', { machines: 'web01' });
    const key = publicKeyOf(generateKeyPairSync('ed25519').publicKey);
    const bare = await bareMachine(server, [disk], { key, directory: disk.directory });
    await until('a refusal', async () => bare.console().includes('THE SERVER IS NOT TRUSTED'));
    await until('a problem at the server', async () => (await machine()).problem?.code === 'signature-wrong');
    await bare.stop();
    expect((await systemProcesses.run('blkid', ['-p', disk.device], { accept: [0, 2] })).stdout).toBe('');
  });

  it('begins anew after a power cut in mid-install', async () => {
    await name();
    await server.call('install.order', { machines: 'web01' });
    const reached = Promise.withResolvers<void>();
    const cut = await bareMachine(server, [disk], {
      directory: disk.directory,
      onRestore: async (part) => {
        reached.resolve();
        await systemClock.sleep(60_000, part.signal);
      },
    });
    await reached.promise;
    await cut.stop();
    expect((await machine()).state).toBe('installing');
    const bare = await bareMachine(server, [disk], { directory: disk.directory });
    expect(await bare.running).toBe('rebooted');
    expect((await machine()).state).toBe('installed');
  });

  it('fails in words when the store goes away in the middle, and the next try works', async () => {
    await name();
    await server.call('install.order', { machines: 'web01' });
    let failing = true;
    const bare = await bareMachine(server, [disk], {
      directory: disk.directory,
      onRestore: async () => {
        if (!failing) return;
        failing = false;
        await server.stop();
      },
    });
    await until('a failure', async () => bare.console().includes('THE INSTALL FAILED'));
    expect(bare.console()).toContain('does not answer');
    const port = new URL(server.url).port;
    await using again = await startServer({ keepData: server.data, listen: `127.0.0.1:${port}` });
    const seen = async () => (await again.read('machine.list')).body.machines[0];
    await until('a problem at the server', async () => (await seen()).state === 'failed');
    expect((await seen()).problem.code).toBe('store-unreachable');
    await again.call('install.order', { machines: 'web01' });
    expect(await bare.running).toBe('rebooted');
    expect((await seen()).state).toBe('installed');
  });
});
