import { chmod, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemProcesses } from '../../src/system/run.ts';
import { makeBusyboxTree } from './busybox-tree.ts';

const checkout = join(import.meta.dirname, '../..');

/** Says which processes it found, waits until its predecessor has written how it went, and ends. */
const init = `#!/bin/sh
echo "$$" >/said
for each in /proc/[0-9]*; do cat $each/cmdline; echo; done >/looking
mv /looking /processes
until [ -s /result ]; do sleep 0.1; done
`;

describe.skipIf(process.getuid?.() !== 0)('the imager that becomes the system', { timeout: 60_000 }, () => {
  let work: string;
  let root: string;

  beforeEach(async () => {
    work = await mkdtemp(join(tmpdir(), 'imprint-hand-over-'));
    root = join(work, 'system');
    await makeBusyboxTree(root);
    for (const directory of ['dev', 'proc', 'sys', 'run']) await mkdir(join(root, directory));
  });
  afterEach(() => rm(work, { recursive: true }));

  const program = async (path: string) => {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), init);
    await chmod(join(root, path), 0o755);
  };

  /** The imager's own first process, but for hardware, as the first process of a namespace: nothing outside of it is seen, ended, or mounted. */
  async function handOver(): Promise<{ problem: string; first: string; mounts: string[]; title: string }> {
    const run = join(work, 'run');
    await mkdir(join(run, 'control'), { recursive: true });
    await writeFile(join(run, 'control/socket'), '');
    await writeFile(join(run, 'console'), '');
    const text = await readFile(join(checkout, 'boot/imager/imager-init'), 'utf8');
    const first = join(work, 'first');
    await writeFile(
      first,
      `${text.replace(/^main\n/m, '').replace(/^run=.*\n/m, `run=${run}\n`)}
say() { :; }
udevadm() { :; }
mount --bind ${run}/console /dev/console
trap hand_over HUP
sleep 1000 &
other=$!
${process.execPath} ${join(import.meta.dirname, 'hand-over-program.ts')} ${run} ${root} &
until [ -s ${root}/result ]; do sleep 0.1; done
kill -0 $other
`,
    );
    const namespaces = ['--mount', '--pid', '--fork', '--mount-proc', '--kill-child', '--propagation', 'private'];
    await systemProcesses.run('unshare', [...namespaces, 'sh', first], { timeout: 30_000 });
    return JSON.parse(await readFile(join(root, 'result'), 'utf8'));
  }

  it('is its first process, and nothing of its own but who serves the root lives on', async () => {
    await program('sbin/init');
    expect(await handOver()).toMatchObject({ problem: '', first: '/bin/sh /sbin/init', title: '@imprint-live' });
    expect(await readFile(join(root, 'said'), 'utf8')).toBe('1\n');
    const processes = await readFile(join(root, 'processes'), 'utf8');
    expect(processes).toContain('@imprint-live');
    expect(processes).not.toContain('1000');
  });

  it('finds an init elsewhere, by links that begin at its root', async () => {
    await program('usr/lib/systemd/systemd');
    await mkdir(join(root, 'usr/bin'));
    await symlink('/usr/lib/systemd/systemd', join(root, 'usr/bin/init'));
    expect((await handOver()).first).toBe('/bin/sh /usr/bin/init');
  });

  it('stays the imager, and nothing ends, where there is no init', async () => {
    await mkdir(join(root, 'sbin/init'), { recursive: true });
    const { problem, first } = await handOver();
    expect(problem).toContain('it has no init (/sbin/init, /usr/sbin/init');
    expect(first).toBe(`sh ${work}/first`);
  });

  it('stays the imager, and nothing ends or stays mounted, where the root lacks a place', async () => {
    await program('sbin/init');
    await rm(join(root, 'sys'), { recursive: true });
    const { problem, first, mounts } = await handOver();
    expect(problem).toContain('cannot be mounted once more');
    expect(first).toBe(`sh ${work}/first`);
    expect(mounts.filter((line) => !line.includes('/console'))).toEqual([]);
  });
});
