import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { Task } from '../../src/foundation/task.ts';
import { kernelHooks } from '../../src/machine/agent-files.ts';
import { removeAgent, writeKernelHooks } from '../../src/operations/install/write-agent.ts';
import { commitMachine } from '../../src/operations/update/commit-machine.ts';
import { refreshBoot } from '../../src/operations/update/refresh-boot.ts';
import { BootPartition } from '../../src/system/boot-partition.ts';
import { rootFiles } from '../../src/system/root-files.ts';
import { systemProcesses } from '../../src/system/run.ts';
import { commitTree, makeBootableTree, type SlotMachine, signedStore, slotMachine } from './slot-machine.ts';

let base: string;
let golden: string;
beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'imprint-refresh-'));
  golden = join(base, 'golden');
  await makeBootableTree(golden);
  for (const version of ['6.1.0-9-amd64', '6.1.0-10-amd64']) await modules(golden, version);
  return () => rm(base, { recursive: true });
});

const modules = (root: string, version: string) => mkdir(join(root, 'usr/lib/modules', version), { recursive: true });

async function machineOf(): Promise<SlotMachine> {
  const signed = await signedStore(join(base, 'data'));
  const first = await commitTree(signed, golden);
  const machine = await slotMachine(signed, golden, first);
  await signed.store.close();
  return machine;
}

/** As a package does: kernel, initial RAM disk, modules. */
async function installKernel(root: string, version: string, initrd = `initrd of ${version}`): Promise<void> {
  const kernel = Buffer.alloc(2_000_000, `kernel ${version} `);
  kernel.write('HdrS', 0x202, 'latin1');
  await writeFile(join(root, `boot/vmlinuz-${version}`), kernel);
  await writeFile(join(root, `boot/initrd.img-${version}`), Buffer.alloc(1_000_000, initrd));
  await modules(root, version);
}

describe.skipIf(process.geteuid?.() !== 0)('a kernel that was installed in the running system', () => {
  const makers = {
    detect: async () => ({ kind: 'initramfs-tools' as const, modules: new Set<string>() }),
    build: async () => Buffer.from('addition'),
  };

  it('boots on trial, for the root that runs, and becomes the good one; the next one too', async () => {
    await using machine = await machineOf();
    const refresh = async () => refreshBoot(await machine.machine(), Task.silent(), makers);
    const start = await machine.pointer();
    // What the install put there has no initial RAM disk; so the kernel of the version itself differs once.
    await installKernel(machine.root, '6.1.0-20-amd64');
    const first = await refresh();
    expect(first).toMatchObject({ kind: 'staged', kernel: '6.1.0-20-amd64', removed: [] });
    expect(first.entry).toMatch(/^a-[0-9a-f]{12}-k[0-9a-f]{6}$/);
    expect(await machine.pointer()).toMatchObject({ good: start?.good, trial: first.entry, tries: 3 });
    // As GRUB sees it, which replays no journal.
    const device = (await machine.machine()).bootDevice;
    const grub = (path: string) =>
      execFileSync('grub-fstest', [device, 'cat', `(loop0)${path}`], { encoding: 'latin1', maxBuffer: 2 ** 24 });
    expect(grub(`/slots/${first.entry}/vmlinuz`)).toContain('kernel 6.1.0-20-amd64');
    expect(grub(`/slots/${first.entry}/initrd`)).toContain('initrd of 6.1.0-20-amd64');
    expect(grub(`/slots/${first.entry}/entry.cfg`)).toContain('Linux 6.1.0-20-amd64');
    expect(await refresh()).toMatchObject({ kind: 'current' });
    // update-initramfs -u before the restart: the newer one takes its place, and nothing is left of the other.
    await installKernel(machine.root, '6.1.0-20-amd64', 'another initrd');
    const second = await refresh();
    expect(second.kind).toBe('staged');
    expect(second.entry).not.toBe(first.entry);
    expect(await machine.entries()).toEqual([start?.good, second.entry].sort());
    // It restarts, and proves itself.
    const restarted = { ...(await machine.machine()), words: { entry: second.entry, sequence: 3, left: 2 } };
    await expect(refreshBoot(restarted, Task.silent(), makers)).rejects.toMatchObject({ code: 'trial-running' });
    await commitMachine(restarted, { force: true }, Task.silent());
    expect(await machine.pointer()).toMatchObject({ good: second.entry, previous: start?.good });
    const running = { ...restarted, words: { entry: second.entry, sequence: 5 } };
    expect(await refreshBoot(running, Task.silent(), makers)).toMatchObject({ kind: 'current' });
    // The package manager removes the old kernel: an entry without modules is no way back.
    await rm(join(machine.root, 'usr/lib/modules/6.1.0-10-amd64'), { recursive: true });
    expect(await refreshBoot(running, Task.silent(), makers)).toMatchObject({
      ...{ kind: 'only-removed', removed: [start?.good] },
    });
    expect(await machine.entries()).toEqual([second.entry]);
    expect((await machine.pointer())?.previous).toBeUndefined();
  });

  it('waits where an update waits for its restart, and is refused where it is not whole', async () => {
    await using machine = await machineOf();
    const here = await machine.machine();
    const refresh = () => refreshBoot(here, Task.silent(), makers);
    const good = (await machine.pointer())?.good ?? '';
    {
      await using boot = await BootPartition.open(systemProcesses, here.bootDevice);
      const [entry] = await boot.entries();
      if (entry === undefined) throw new Error('no entry');
      const other = { ...entry, id: 'b-222222222222', slot: 'b' };
      await boot.addEntry(other, boot.filesOf(entry));
      await boot.writePointer({ good, trial: other.id, tries: 3 });
    }
    await installKernel(machine.root, '6.1.0-20-amd64');
    expect(await refresh()).toMatchObject({ kind: 'later', entry: 'b-222222222222' });
    expect(await machine.pointer()).toMatchObject({ good, trial: 'b-222222222222' });
    {
      await using boot = await BootPartition.open(systemProcesses, here.bootDevice);
      await boot.writePointer({ good, tries: 0 });
    }
    // Another entry runs than the one that boots: it was chosen in the menu, for once.
    const strayed = { ...here, words: { entry: 'b-222222222222', sequence: 9 } };
    expect(await refreshBoot(strayed, Task.silent(), makers)).toMatchObject({ kind: 'later', entry: good });
    expect((await machine.pointer())?.trial).toBeUndefined();
    // Half installed: no modules yet. The newest that is whole counts.
    await rm(join(machine.root, 'usr/lib/modules/6.1.0-20-amd64'), { recursive: true });
    expect((await refresh()).kernel).toBe('6.1.0-10-amd64');
    await rm(join(machine.root, 'usr/lib/modules'), { recursive: true });
    const refused = refresh();
    await expect(refused).rejects.toMatchObject({ code: 'image-unfit' });
    await expect(refused).rejects.toThrow('/boot holds no kernel with its initial RAM disk and its modules');
  });
});

describe('the hooks of package managers', () => {
  it('stand where the system has such, and go with the agent', async () => {
    const files = rootFiles(golden);
    await mkdir(join(golden, 'etc/kernel/postinst.d'), { recursive: true });
    await mkdir(join(golden, 'etc/initramfs-tools'), { recursive: true });
    await writeKernelHooks(files);
    const there = kernelHooks.map(({ path }) => existsSync(join(golden, path)));
    expect(there).toEqual([true, false, true]);
    // Without the agent's programs it does nothing.
    execFileSync('sh', [join(golden, kernelHooks[0].path)]);
    await removeAgent(golden);
    expect(kernelHooks.some(({ path }) => existsSync(join(golden, path)))).toBe(false);
  });

  it('refresh the boot partition of the system that runs, never break a package, and say what went wrong', async () => {
    const hook = join(import.meta.dirname, '../../boot/kernel-hook.sh');
    const command = join(base, 'imprint');
    const commandLine = join(base, 'cmdline');
    await writeFile(commandLine, 'ro imprint.slot=a-1 imprint.seq=1');
    const call = async (status: number, environment: Record<string, string> = {}) => {
      await rm(join(base, 'called'), { force: true });
      await writeFile(command, `#!/bin/sh\necho "$@" > ${base}/called\nexit ${status}\n`);
      await chmod(command, 0o755);
      const env = {
        ...{ PATH: process.env.PATH ?? '', IMPRINT_COMMAND: command, IMPRINT_COMMAND_LINE: commandLine },
        ...{ IMPRINT_PROCESS_ROOT: '/', ...environment },
      };
      const { stderr } = await systemProcesses.run('sh', [hook, '6.1.0-20-amd64', '/boot/vmlinuz'], { env });
      return { called: await readFile(join(base, 'called'), 'utf8').catch(() => ''), stderr };
    };
    expect(await call(0)).toEqual({ called: 'boot refresh --yes --quiet\n', stderr: '' });
    expect((await call(4)).stderr).toContain('after mending it: imprint boot refresh');
    expect(await call(0, { IMPRINT_PROCESS_ROOT: base })).toEqual({ called: '', stderr: '' });
    expect(await call(0, { IMPRINT_COMMAND_LINE: '/dev/null' })).toEqual({ called: '', stderr: '' });
    expect(await call(0, { IMPRINT_COMMAND: join(base, 'none') })).toEqual({ called: '', stderr: '' });
  });
});
