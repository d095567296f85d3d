import { mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findScripts } from '../../src/agent/find-scripts.ts';
import { parsePublicKey } from '../../src/image/signature.ts';
import { systemProcesses } from '../../src/system/run.ts';
import { runScript } from '../../src/system/script-run.ts';
import { bareMac, bareMachine, captureInto, until } from './bare-machine.ts';
import { makeBusyboxTree } from './busybox-tree.ts';
import { makeGoldenTree } from './install-tree.ts';
import { type LoopDisk, loopDisk } from './loop-disk.ts';
import { factsOf, type RunningServer, startServer, TalkingImager } from './server-harness.ts';

const gibibyte = 1024 ** 3;

describe('scripts at the server', () => {
  let server: RunningServer;

  beforeEach(async () => {
    server = await startServer();
  });
  afterEach(() => server[Symbol.asyncDispose]());

  it('are kept, listed, shown and forgotten; what is none is named', async () => {
    await server.call('machine.add', { machines: 'web[01-02]', macs: [bareMac, '52:54:00:00:00:02'], image: 'web' });
    await server.call('machine.set', { machines: 'web01', groups: ['rack1'] });
    const add = (phase: string, name: string, audience: object, text = '#!/bin/sh\n') =>
      server.call('script.add', { phase, name, for: audience, text });
    expect((await add('pre-install', '20-late', { kind: 'all' })).body.replaced).toBe(false);
    expect((await add('pre-install', '20-late', { kind: 'all' }, '#!/bin/sh\ntrue\n')).body.replaced).toBe(true);
    await add('pre-install', '10-raid', { kind: 'group', name: 'rack1' });
    await add('pre-install', '10-raid', { kind: 'image', name: 'web' });
    await add('first-boot', '05-join.sh', { kind: 'machine', name: 'WEB01' });
    await add('pre-install', '20-late', { kind: 'machine', name: 'web02' }, '');

    const list = async (machine?: string) =>
      (await server.read('script.list', machine === undefined ? {} : { machine })).body.scripts.map(
        ({ phase, name, for: audience }: { phase: string; name: string; for: { kind: string } }) =>
          `${phase} ${name} ${audience.kind}`,
      );
    expect(await list()).toHaveLength(5);
    expect(await list('web01')).toEqual([
      'pre-install 10-raid group',
      'pre-install 20-late all',
      'first-boot 05-join.sh machine',
    ]);
    expect(await list('web02')).toEqual(['pre-install 10-raid image', 'pre-install 20-late machine']);

    const show = { phase: 'pre-install', name: '20-late', audience: 'all' };
    expect((await server.read('script.show', show)).body.text).toBe('#!/bin/sh\ntrue\n');
    await server.call('script.rm', { phase: 'pre-install', name: '20-late', for: { kind: 'all' } });
    expect((await server.read('script.show', show)).body.error?.code).toBe('script-not-found');

    const codes = await Promise.all([
      add('pre-install', '10-raid~', { kind: 'all' }),
      add('pre-install', 'windows', { kind: 'all' }, '#!/bin/sh\r\ntrue\r\n'),
      add('pre-install', 'nothing', { kind: 'all' }, 'echo\n'),
      add('pre-install', '../../key', { kind: 'all' }),
      add('pre-install', 'away', { kind: 'machine', name: 'web99' }),
      add('pre-install', 'away', { kind: 'group', name: 'rack9' }),
      add('pre-install', 'away', { kind: 'image', name: '../x' }),
    ]);
    expect(codes.map(({ body }) => body.error?.code)).toEqual([
      ...['input-invalid', 'script-invalid', 'script-invalid', 'input-invalid'],
      ...['machine-not-found', 'input-invalid', 'input-invalid'],
    ]);
    expect((await stat(join(server.data, 'scripts'))).mode & 0o777).toBe(0o700);

    // What somebody puts there by hand.
    await writeFile(join(server.data, 'scripts/pre-install/group/rack1/10-raid.bak'), '#!/bin/sh\n');
    expect((await server.read('script.list')).body.passedOver).toEqual(['pre-install/group/rack1/10-raid.bak']);
    await writeFile(join(server.data, 'scripts/pre-install/group/rack1/30-odd'), 'echo no shell named\n');
    const plan = await server.read('install.plan', { machines: 'web01' });
    expect(plan.body).toMatchObject({ error: { code: 'script-invalid' } });
    expect(plan.body.error.message).toContain('30-odd');
    expect((await server.call('install.order', { machines: 'web01' })).body.error?.code).toBe('script-invalid');
  });

  it('are given out, signed, to a machine that installs itself by a local.cfg', async () => {
    const add = (name: string, audience: object) =>
      server.call('script.add', { phase: 'post-install', name, for: audience, text: '#!/bin/sh\n' });
    await server.call('machine.add', { machines: 'web01', macs: [bareMac], groups: ['rack1'] });
    await add('10-all', { kind: 'all' });
    await add('20-rack', { kind: 'group', name: 'rack1' });
    await add('30-image', { kind: 'image', name: 'web' });
    const key = parsePublicKey(await readFile(join(server.data, 'keys/server.pub'), 'utf8'));
    const { signal } = new AbortController();
    const namesFor = async (name: string, groups: string[]) =>
      (await findScripts(`${server.url}/store`, { name, image: 'web', groups }, { key, signal })).map(
        (each) => each.name,
      );
    expect(await namesFor('other', [])).toEqual(['10-all', '30-image']);
    expect(await namesFor('other', ['rack1'])).toEqual(['10-all', '20-rack', '30-image']);
    expect(await namesFor('web01', [])).toEqual(['10-all', '20-rack', '30-image']);
  });

  it('are part of the signed order, and make an imager that runs none refuse it', async () => {
    await server.call('machine.add', { machines: 'web01', macs: [bareMac], image: 'web' });
    await server.call('script.add', { phase: 'pre-install', name: '10-x', for: { kind: 'all' }, text: '#!/bin/sh\n' });
    await server.call('install.order', { machines: 'web01' });
    expect(await new TalkingImager(server, factsOf(bareMac)).hello()).toMatchObject({ kind: 'wait' });
    const { problem } = (await server.read('machine.list')).body.machines[0];
    expect(problem).toMatchObject({ code: 'scripts-unfit', message: expect.stringContaining('made before') });
    const order = await new TalkingImager(server, factsOf(bareMac)).hello(0, { scripts: true });
    expect(order).toMatchObject({
      kind: 'install',
      scripts: [{ phase: 'pre-install', name: '10-x', text: '#!/bin/sh\n' }],
    });
  });
});

describe.skipIf(process.getuid?.() !== 0)('a script', () => {
  it('ends in time, with all that it left running', async () => {
    await using disk = await loopDisk(1 << 20);
    const script = join(disk.directory, 'script');
    const run = async (text: string, limit = 60_000) => {
      await writeFile(script, text, { mode: 0o755 });
      const lines: string[] = [];
      const { signal } = new AbortController();
      const end = await runScript(systemProcesses, {
        ...{ script, env: { GREETING: 'hello' }, limit, signal },
        onLine: (line) => lines.push(line),
      });
      return { end, lines };
    };
    expect(await run('#!/bin/sh\necho "$GREETING"\necho oh >&2\nexit 3\n')).toEqual({
      end: { kind: 'ended', status: 3 },
      lines: ['hello', 'oh'],
    });
    // A daemon that keeps its output open would hold the install up for ever.
    const begun = Date.now();
    expect(await run('#!/bin/sh\nsleep 300 &\necho left\n')).toEqual({
      end: { kind: 'ended', status: 0 },
      lines: ['left'],
    });
    expect((await run('#!/bin/sh\necho begun\nsleep 300\n', 1500)).end).toEqual({ kind: 'too-long' });
    expect(Date.now() - begun).toBeLessThan(60_000);
    expect((await run('#!/no/such/shell\n')).end).toEqual({ kind: 'ended', status: 127 });
  });
});

describe.skipIf(process.getuid?.() !== 0)('an install with scripts', { timeout: 180_000 }, () => {
  let server: RunningServer;
  let disk: LoopDisk;

  beforeEach(async () => {
    server = await startServer();
    disk = await loopDisk(3 * gibibyte);
    const golden = join(disk.directory, 'golden');
    await makeGoldenTree(golden);
    await makeBusyboxTree(golden, {
      'usr/share/imprint/scripts/post-install/10-own': '#!/bin/sh\necho own >> /etc/order\n',
      'usr/share/imprint/scripts/post-install/30-replaced': '#!/bin/sh\necho "of the version" >> /etc/order\n',
      'usr/share/imprint/scripts/post-install/40-away': '#!/bin/sh\necho away >> /etc/order\n',
      'usr/share/imprint/scripts/first-boot/50-own': '#!/bin/sh\ntrue\n',
    });
    await symlink('busybox', join(golden, 'bin/cut'));
    await captureInto(server, golden);
    await server.call('machine.add', { machines: 'web01', macs: [bareMac], image: 'golden', groups: ['rack1'] });
  });
  afterEach(async () => {
    await disk[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
  });

  const add = (phase: string, name: string, audience: object, text: string) =>
    server.call('script.add', { phase, name, for: audience, text });
  const machine = async () => (await server.read('machine.list')).body.machines[0];
  const signatures = async () => (await systemProcesses.run('blkid', ['-p', disk.device], { accept: [0, 2] })).stdout;
  const all = { kind: 'all' };

  it('stops before the first write, or before it boots, where one fails, with the end of what it said', async () => {
    const failing = '#!/bin/sh\nseq 1 100\necho "no controller in $HOSTNAME" >&2\nexit 7\n';
    await add('pre-install', '10-raid', { kind: 'group', name: 'rack1' }, failing);
    await add('pre-install', '20-after', all, `#!/bin/sh\ntouch ${disk.directory}/ran-after\n`);
    await server.call('install.order', { machines: 'web01' });
    // The disk is one that a script makes: of a RAID controller, say.
    const made = join(disk.directory, 'made');
    const hasDisks = () => stat(made).then(Boolean, () => false);
    const bare = await bareMachine(server, [disk], { directory: disk.directory, hasDisks });
    await until('a failure', async () => (await machine()).state === 'failed');
    const { problem } = await machine();
    expect(problem.code).toBe('script-failed');
    expect(problem.message).toContain('“10-raid” (group rack1) failed on web01 with status 7:');
    expect(problem.message).toContain('\n100\nno controller in web01');
    expect(problem.message).not.toContain('\n79\n');
    expect(bare.console()).toContain('NOT INSTALLED. NOTHING WAS WRITTEN.');
    expect(bare.console()).toContain('  | no controller in web01');
    expect(await signatures()).toBe('');
    expect(await readdir(disk.directory)).not.toContain('ran-after');
    // The server keeps all of it.
    const { task } = (await server.read('task.list', { machine: 'web01' })).body.tasks[0] ?? {};
    const { tasks } = (await server.read('task.list', { machine: 'web01' })).body;
    const log = (await server.read('task.show', { task: task ?? tasks[0].id })).body;
    expect(JSON.stringify(log)).toContain('"message":"50"');

    const making = `#!/bin/sh\necho "for $IMAGENAME, groups $GROUPNAMES"\ntouch ${made}\n. "\${0%/*}/variables.txt"\necho "$IMPRINT_IMAGE"\n`;
    await add('pre-install', '10-raid', { kind: 'group', name: 'rack1' }, making);
    await add('post-install', '10-bad', all, '#!/bin/sh\necho "cannot reach the directory"\nexit 1\n');
    await server.call('install.order', { machines: 'web01' });
    await until('another failure', async () =>
      (await machine()).problem?.message.includes('cannot reach the directory'),
    );
    expect(bare.console()).toContain('THE INSTALL FAILED.');
    const boot = (await systemProcesses.run('dd', [`if=${disk.device}`, 'bs=440', 'count=1', 'status=none'])).stdout;
    expect(boot.replaceAll('\0', '')).toBe('');
    expect(bare.console()).toContain('  | for golden, groups rack1');
    expect(bare.console()).toContain('  | golden:1');
    expect(await readdir(disk.directory)).toContain('ran-after');
    await bare.stop();
  });

  it('runs those of the new system in it, in the order of their names over all levels, and leaves the rest to its first boot', async () => {
    const note = (text: string) => `#!/bin/sh\necho ${text} >> /etc/order\n`;
    await add('post-install', '20-all', all, note('"all $HOSTNAME $IMPRINT_PHASE"'));
    await add('post-install', '05-machine', { kind: 'machine', name: 'web01' }, note('machine'));
    await add('post-install', '30-replaced', { kind: 'image', name: 'golden' }, note('image'));
    await add('post-install', '40-away', { kind: 'group', name: 'rack1' }, '');
    // As scripts for SystemImager read their variables; the kernel's file systems are there, and a daemon is no hindrance.
    const probing =
      '#!/bin/sh\n. /tmp/post-install/variables.txt\necho "$GROUPNAMES" > /etc/groups-said\ncat /proc/self/stat > /etc/proc-seen\nls /dev/null /sys/block > /dev/null || exit 9\nsleep 1000 &\n';
    await add('post-install', '90-probe', all, probing);
    await add('first-boot', '10-join', all, '#!/bin/sh\necho "joining as $HOSTNAME"\n');
    await add('first-boot', '50-own', { kind: 'machine', name: 'web01' }, '#!/bin/sh\necho mine\n');

    const plan = (await server.read('install.plan', { machines: 'web01' })).body.plans[0];
    expect(plan.steps).toEqual([]);
    await server.call('install.order', { machines: 'web01' });
    const bare = await bareMachine(server, [disk], { directory: disk.directory });
    expect(await bare.running, bare.console()).toBe('rebooted');
    expect((await server.read('install.plan', { machines: 'web01' })).body.plans[0].steps).toContain(
      'run the post-install scripts 05-machine (machine web01), 10-own (the version), 20-all (all), 30-replaced (image golden), 90-probe (all)',
    );
    const target = join(disk.directory, 'look');
    await mkdir(target);
    await systemProcesses.run('mount', ['-o', 'ro', `${disk.device}p4`, target]);
    const read = (path: string) => readFile(join(target, path), 'utf8');
    const found = {
      order: await read('etc/order'),
      groups: await read('etc/groups-said'),
      proc: await read('etc/proc-seen'),
      tmp: await readdir(join(target, 'tmp')),
      scripts: await readdir(join(target, 'var/lib/imprint/first-boot/scripts')),
      own: await read('var/lib/imprint/first-boot/scripts/50-own'),
      variables: await read('var/lib/imprint/first-boot/variables.txt'),
      unit: await read('etc/systemd/system/multi-user.target.wants/imprint-first-boot-scripts.service').catch(() =>
        read('etc/systemd/system/imprint-first-boot-scripts.service'),
      ),
      mode: (await stat(join(target, 'var/lib/imprint/first-boot'))).mode & 0o777,
    };
    await systemProcesses.run('umount', [target]);
    expect(found.order).toBe('machine\nown\nall web01 post-install\nimage\n');
    expect(found.groups).toBe('rack1\n');
    expect(found.proc).not.toBe('');
    expect(found.tmp).toEqual([]);
    expect(found.scripts).toEqual(['10-join', '50-own']);
    expect(found.own).toContain('mine');
    expect(found.variables).toContain("HOSTNAME='web01'");
    expect(found.unit).toContain('ExecStart=/bin/sh /var/lib/imprint/first-boot/run');
    expect(found.mode).toBe(0o700);
  });
});
