import { cp, lstat, mkdir, mkdtemp, readdir, readFile, readlink, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { systemClock } from '../../src/foundation/clock.ts';
import { Task, type TaskEvent } from '../../src/foundation/task.ts';
import { runningAgentProgram } from '../../src/operations/install/agent-program.ts';
import { restoreVersion, writeAgent } from '../../src/operations/install/agent-step.ts';
import type { InstallContext } from '../../src/operations/install/install-context.ts';
import { type AgentProgram, installAgent } from '../../src/operations/install/write-agent.ts';
import { systemProcesses } from '../../src/system/run.ts';

let scratch: string;
let root: string;
let program: AgentProgram;

beforeEach(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'imprint-agent-'));
  root = join(scratch, 'root');
  const bundle = join(scratch, 'bundle');
  await mkdir(bundle);
  await mkdir(join(bundle, 'boot/addition'), { recursive: true });
  for (const name of ['agent.mjs', 'imprint.mjs', 'imager.mjs', 'copy-worker.mjs']) {
    await writeFile(join(bundle, name), `// ${name}\n`);
  }
  await writeFile(join(bundle, 'boot/addition/boot.sh'), '#!/bin/sh\n', { mode: 0o755 });
  const running = await runningAgentProgram(bundle);
  if (running === undefined) throw new Error('no program');
  program = running;
});

afterEach(() => rm(scratch, { recursive: true, force: true }));

/** A root in which nothing runs but what is linked with these libraries of this machine. */
async function makeRoot(libraries: readonly RegExp[]): Promise<void> {
  const { stdout } = await systemProcesses.run('ldd', [process.execPath]);
  const paths = [...stdout.matchAll(/(\/\S+) \(0x/g)].map((match) => match[1] ?? '');
  const shell = await systemProcesses.run('ldd', ['/bin/sh']);
  for (const match of shell.stdout.matchAll(/(\/\S+) \(0x/g)) paths.push(match[1] ?? '');
  for (const path of [...new Set(paths)].filter((each) => libraries.some((wanted) => wanted.test(each)))) {
    await mkdir(join(root, dirname(path)), { recursive: true });
    await cp(path, join(root, path), { dereference: true });
  }
  await mkdir(join(root, 'bin'), { recursive: true });
  await cp('/bin/sh', join(root, 'bin/sh'), { dereference: true });
}

const cLibrary = /\/(ld-linux|libc|libm|libdl|libpthread)[-.]/;
const runtime = /\/(libstdc\+\+|libgcc_s)\./;
const atomic = /\/libatomic\./;

async function written(): Promise<{ events: TaskEvent[] }> {
  const events: TaskEvent[] = [];
  const context: InstallContext = {
    processes: systemProcesses,
    clock: systemClock,
    target: root,
    content: { kernels: [], systemd: true, sshServer: false, selinux: false, runsNode: true, hostKeys: [] },
    restore: async () => {},
    agent: { program, publicKey: 'the key\n' },
    keptVersion: async () => ({ recordText: '{"number":1}', signature: 'signed', manifest: Buffer.from('entries') }),
  };
  const step = { kind: 'write-agent', server: 'http://10.0.0.1:4280', order: 'o', session: 's', digest: 'd' } as const;
  await Task.run(
    'install',
    (event) => events.push(event),
    async (task) => {
      await restoreVersion({ kind: 'restore', reference: 'web:1', digest: 'd', bytes: 0 }, context, task);
      await writeAgent(step, context, task);
    },
  );
  return { events };
}

describe('installAgent', () => {
  it('puts programs, command, unit, settings and the version in', async () => {
    await mkdir(root);
    await mkdir(join(scratch, 'trust'));
    await writeFile(join(scratch, 'trust/pinned'), 'who');
    await installAgent(root, {
      program,
      settings: { server: { url: 'http://10.0.0.1:4280', publicKey: 'the key\n' }, trust: join(scratch, 'trust') },
      version: { recordText: '{}', manifest: { file: join(scratch, 'trust/pinned') } },
    });
    const text = (path: string) => readFile(join(root, path), 'utf8');
    expect((await readdir(join(root, 'usr/lib/imprint'))).filter((name) => name.endsWith('.mjs')).sort()).toEqual([
      ...['agent.mjs', 'copy-worker.mjs', 'imprint.mjs'],
    ]);
    expect((await stat(join(root, 'usr/lib/imprint/boot/addition/boot.sh'))).mode & 0o777).toBe(0o755);
    expect((await stat(join(root, 'usr/bin/imprint'))).mode & 0o777).toBe(0o755);
    expect(await text('usr/bin/imprint')).toContain('/usr/lib/imprint/imprint.mjs');
    const wanted = join(root, 'etc/systemd/system/multi-user.target.wants/imprint-agent.service');
    expect(await readlink(wanted)).toBe('/etc/systemd/system/imprint-agent.service');
    expect(await text('etc/systemd/system/imprint-agent.service')).toContain('/usr/lib/imprint/agent.mjs');
    expect(await text('etc/imprint/agent.yaml')).toMatch(/^server: "http:\/\/10.0.0.1:4280"$/m);
    expect(await text('etc/imprint/server.pub')).toBe('the key\n');
    expect(await text('etc/imprint/trust/pinned')).toBe('who');
    expect(await text('var/lib/imprint/version.json')).toBe('{}');
    expect(await text('var/lib/imprint/manifest')).toBe('who');
  });

  it('replaces the programs of another agent, and leaves its settings', async () => {
    await mkdir(join(root, 'usr/lib/imprint'), { recursive: true });
    await mkdir(join(root, 'etc/imprint'), { recursive: true });
    await writeFile(join(root, 'usr/lib/imprint/old.mjs'), '');
    await writeFile(join(root, 'etc/imprint/agent.yaml'), 'tries: 2\n');
    await installAgent(root, { program });
    await installAgent(root, { program });
    expect(await readdir(join(root, 'usr/lib/imprint'))).not.toContain('old.mjs');
    expect(await readFile(join(root, 'etc/imprint/agent.yaml'), 'utf8')).toBe('tries: 2\n');
  });
});

describe.skipIf(process.getuid?.() !== 0)('the agent in a new system', () => {
  it('runs on the system’s own libraries', async () => {
    await makeRoot([cLibrary, runtime, atomic]);
    const { events } = await written();
    expect(events.filter(({ kind }) => kind === 'warning')).toEqual([]);
    expect((await lstat(join(root, 'usr/lib/imprint/node'))).size).toBe((await stat(process.execPath)).size);
    expect(await readdir(join(root, 'usr/lib/imprint'))).not.toContain('lib');
    const units = join(root, 'etc/systemd/system/multi-user.target.wants');
    expect(await readdir(units)).toEqual(['imprint-agent.service']);
  });

  it('brings what the system lacks', async () => {
    await makeRoot([cLibrary, runtime]);
    const { events } = await written();
    expect(events.filter(({ kind }) => kind === 'warning')).toEqual([]);
    expect(await readdir(join(root, 'usr/lib/imprint/lib'))).toEqual(['libatomic.so.1']);
  });

  it('stays away where its Node does not run: the first boot is then reported by sh', async () => {
    await makeRoot([]);
    const { events } = await written();
    expect(events.filter(({ kind }) => kind === 'warning').map(({ message }) => message)).toEqual([
      expect.stringContaining('the agent cannot run in this image'),
    ]);
    expect(await readdir(join(root, 'usr/lib/imprint'))).toEqual(['first-boot']);
    const units = join(root, 'etc/systemd/system/multi-user.target.wants');
    expect(await readdir(units)).toEqual(['imprint-first-boot.service']);
    expect(await readFile(join(root, 'var/lib/imprint/version.json'), 'utf8')).toBe('{"number":1}');
  });
});
