import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { systemClock } from '../../src/foundation/clock.ts';
import { parseAgentSettings } from '../../src/machine/agent-settings.ts';
import { bootArguments } from '../../src/machine/boot-arguments.ts';
import type { BootEntry, BootPointer, TrialCount } from '../../src/machine/boot-pointer.ts';
import { renderPointer, renderTries } from '../../src/machine/boot-pointer-block.ts';
import { renderBootFailure } from '../../src/machine/boot-records.ts';
import { renderEntryConfig } from '../../src/machine/boot-script-grub.ts';
import { type InstalledLayout, imagePath } from '../../src/machine/installed-layout.ts';
import type { RootFileSystem } from '../../src/machine/root-file-system.ts';
import { bootWords } from '../../src/machine/trial.ts';
import { tryLock } from '../../src/native/files.ts';
import type { ThisMachine } from '../../src/operations/update/this-machine.ts';
import { BootPartition } from '../../src/system/boot-partition.ts';
import { systemProcesses } from '../../src/system/run.ts';

const hostUuid = '11111111-2222-4333-8444-555555555555';
const scripts = resolve(import.meta.dirname, '../../boot/addition');

/** Two image files and their entries: `a` and `b`. */
export const images = { a: 'a'.repeat(64), b: 'b'.repeat(64) } as const;
export const entryOf = (letter: 'a' | 'b') => `file-${letter.repeat(12)}`;

export interface AgentlessState {
  pointer: BootPointer;
  tries: TrialCount;
  /** What the other copy of the pointer says is good; default: the same. */
  goodBefore?: string;
  /** Answer of `systemctl is-system-running`. */
  system?: string;
  /** Of the host partition. Default: ext4, where its image files share nothing. */
  host?: 'xfs' | 'btrfs';
}

/** A boot partition, a host partition and a root for the shell of an image without an agent, all on loop devices. */
export class AgentlessPlace implements Disposable {
  readonly directory = mkdtempSync(join(tmpdir(), 'imprint-agentless-'));
  /** As the root `directory` sees it. */
  readonly host = join(this.directory, 'hostpart');
  readonly #device: string;
  readonly #hostDevice: string;
  readonly #uuid: string;
  readonly #holders: ChildProcess[] = [];

  constructor({ pointer, tries, goodBefore = pointer.good, system = 'running', host }: AgentlessState) {
    this.#uuid = randomUUID();
    this.#device = this.#loop('boot', this.#bootTree(pointer, tries, goodBefore, host ?? 'ext4'), this.#uuid);
    this.#hostDevice = host === undefined ? this.#loop('host', this.#hostTree()) : this.#emptyLoop('host', host);
    mkdirSync(this.host);
    execFileSync('mount', ['-o', 'noatime', this.#hostDevice, this.host]);
    if (host !== undefined) execFileSync('cp', ['-a', `${this.#hostTree()}/.`, this.host]);
    this.#write('root/boot/vmlinuz-6.1.0-test', 'kernel of the dropped image');
    this.#write('root/boot/initrd.img-6.1.0-test', 'its initial RAM disk');
    mkdirSync(join(this.directory, 'root/etc/imprint/health.d'), { recursive: true });
    this.program('uname', 'echo 6.1.0-test');
    this.program(
      'systemctl',
      `case $1 in is-system-running) echo ${system} ;; list-units) echo "broken.service loaded failed failed Broken" ;; reboot) : >${this.directory}/rebooted; kill -9 0 ;; esac`,
    );
    this.program('blkid', `echo ${this.#device}`);
  }

  /** What the shell finds before the system's own programs. */
  program(name: string, text: string): void {
    mkdirSync(join(this.directory, 'bin'), { recursive: true });
    const path = join(this.directory, 'bin', name);
    writeFileSync(path, `#!/bin/sh\n${text}\n`);
    chmodSync(path, 0o755);
  }

  healthCheck(name: string, text: string): void {
    const path = this.#write(`root/etc/imprint/health.d/${name}`, `#!/bin/sh\n${text}\n`);
    chmodSync(path, 0o755);
  }

  drop(content: string): void {
    writeFileSync(join(this.host, 'hn-root-new.img'), content);
  }

  /** Another entry for the root of `letter`, as `imprint boot refresh` makes for a kernel of the package manager. */
  async refresh(letter: 'a' | 'b', id: string): Promise<void> {
    await using boot = await BootPartition.open(systemProcesses, this.#device, {
      mountAt: join(this.directory, 'change'),
    });
    const { files: _, ...entry } = entryFor(letter);
    const [vmlinuz, initrd, addition] = ['k', 'i', 'a'].map((text) => Buffer.from(text)) as [Buffer, Buffer, Buffer];
    await boot.addEntry({ ...entry, id }, { vmlinuz, initrd, addition });
  }

  /**
   * Runs it as the service does, in a group of its own. `rebooted`: it asked for that. `held`: seconds for which another has the boot partition open;
   * `patience`: for how many it is waited.
   */
  run(
    command: string,
    words: string,
    { shell = ['sh'], held = 0, patience = 60 }: { shell?: string[]; held?: number; patience?: number } = {},
  ): { output: string; status: number | null; rebooted: boolean } {
    rmSync(join(this.directory, 'rebooted'), { force: true });
    rmSync(join(this.directory, 'run'), { recursive: true, force: true });
    mkdirSync(join(this.directory, 'run/imprint'), { recursive: true });
    this.#write('cmdline', `ro imprint.boot=${this.#uuid} imprint.host=UUID=${hostUuid} ${words}\n`);
    if (held > 0) this.#hold(held);
    const { stdout, stderr, status } = spawnSync('setsid', ['-w', ...shell, join(scripts, 'agentless.sh'), command], {
      encoding: 'utf8',
      timeout: 60_000,
      env: {
        IMPRINT_RUN: join(this.directory, 'run'),
        IMPRINT_HOST: this.host,
        IMPRINT_ROOT: join(this.directory, 'root'),
        IMPRINT_SYSRQ: join(this.directory, 'sysrq'),
        IMPRINT_CMDLINE: join(this.directory, 'cmdline'),
        IMPRINT_PATIENCE: String(patience),
        IMPRINT_PATH: `${join(this.directory, 'bin')}:/usr/sbin:/usr/bin:/sbin:/bin`,
      },
    });
    this.#unmountBoot();
    return { output: `${stdout}${stderr}`, status, rebooted: existsSync(join(this.directory, 'rebooted')) };
  }

  /** The lock of the boot partition, as the agent takes it. */
  get lock(): string {
    return join(this.directory, 'run/imprint/boot.lock');
  }

  /** Locked by us, and kept by a process that has our descriptor, for that time. */
  #hold(seconds: number): void {
    const fd = openSync(this.lock, 'a', 0o600);
    if (!tryLock(fd, 'exclusive')) throw new Error(`${this.lock} is locked already`);
    const holder = spawn('sleep', [String(seconds)], { stdio: ['ignore', 'ignore', 'ignore', fd] });
    this.#holders.push(holder);
    closeSync(fd);
  }

  /** This machine to the agent and the command line: its root is `directory`. `words`: of the kernel command line. */
  machine(words: string): ThisMachine {
    return {
      processes: systemProcesses,
      clock: systemClock,
      root: this.directory,
      settings: parseAgentSettings('health: { patience: 0s, failedUnits: none }', 'agent.yaml'),
      words: bootWords(words),
      bootDevice: this.#device,
    };
  }

  /** The boot partition as userspace with an agent reads it, which takes nothing that is not whole. */
  async look() {
    await using boot = await BootPartition.open(systemProcesses, this.#device, {
      readOnly: true,
      mountAt: join(this.directory, 'look'),
    });
    return {
      pointer: await boot.pointer(),
      entries: await boot.entries(),
      failure: await boot.failure(),
      tries: await boot.tries(),
    };
  }

  /** Mounted device by device: whatever was not unmounted goes with the power. */
  #unmountBoot(): void {
    const at = join(this.directory, 'run/imprint/agentless');
    // What was killed may hold it for a moment.
    for (let tries = 0; tries < 100 && spawnSync('mountpoint', ['-q', at]).status === 0; tries += 1) {
      spawnSync('fsfreeze', ['--unfreeze', at]);
      if (spawnSync('umount', [at]).status !== 0) spawnSync('sleep', ['0.1']);
    }
    spawnSync('fsfreeze', ['--unfreeze', this.host]);
  }

  #bootTree(pointer: BootPointer, tries: TrialCount, goodBefore: string, host: RootFileSystem): string {
    this.#write('boot/imprint/a.env', renderPointer(pointer));
    this.#write('boot/imprint/b.env', renderPointer({ sequence: pointer.sequence - 1, good: goodBefore, tries: 0 }));
    this.#write('boot/imprint/tries.env', renderTries(tries));
    this.#write('boot/imprint/layout.json', JSON.stringify(layoutOn(host)));
    this.#write('boot/imprint/failure.json', renderBootFailure(undefined));
    for (const letter of ['a', 'b'] as const) {
      const entry = entryFor(letter);
      const at = `boot/slots/${entry.id}`;
      for (const name of Object.keys(entry.files)) this.#write(`${at}/${name}`, `${name} of ${letter}`);
      this.#write(`${at}/entry.json`, `${JSON.stringify(entry, null, 2)}\n`);
      this.#write(`${at}/entry.cfg`, renderEntryConfig(entry));
    }
    return join(this.directory, 'boot');
  }

  #hostTree(): string {
    for (const letter of ['a', 'b'] as const) this.#write(`hosttree/${imagePath(images[letter])}`, `image ${letter}`);
    return join(this.directory, 'hosttree');
  }

  #loop(name: string, tree: string, uuid?: string): string {
    const file = join(this.directory, `${name}.img`);
    execFileSync('truncate', ['-s', '16M', file]);
    execFileSync('mke2fs', ['-q', '-F', '-t', 'ext4', ...(uuid === undefined ? [] : ['-U', uuid]), '-d', tree, file]);
    return execFileSync('losetup', ['--find', '--show', file], { encoding: 'utf8' }).trim();
  }

  #emptyLoop(name: string, type: 'xfs' | 'btrfs'): string {
    const file = join(this.directory, `${name}.img`);
    execFileSync('truncate', ['-s', '320M', file]);
    execFileSync(`mkfs.${type}`, ['-q', '-f', file]);
    return execFileSync('losetup', ['--find', '--show', file], { encoding: 'utf8' }).trim();
  }

  #write(path: string, content: string | Uint8Array): string {
    const file = join(this.directory, path);
    mkdirSync(resolve(file, '..'), { recursive: true });
    writeFileSync(file, content);
    return file;
  }

  [Symbol.dispose](): void {
    for (const holder of this.#holders) holder.kill();
    this.#unmountBoot();
    execFileSync('umount', [this.host]);
    for (const device of [this.#device, this.#hostDevice]) execFileSync('losetup', ['--detach', device]);
    rmSync(this.directory, { recursive: true, force: true });
  }
}

function entryFor(letter: 'a' | 'b'): BootEntry {
  const hash = (text: string) => createHash('sha256').update(text).digest('hex');
  return {
    id: entryOf(letter),
    slot: 'file',
    reference: letter === 'a' ? 'web:1' : 'web:2',
    digest: `sha256:${images[letter]}`,
    title: `web · it’s ${letter}`,
    kernelVersion: '6.1.0-1',
    kernelOptions: bootArguments({
      root: { purpose: 'file', host: hostUuid, image: images[letter] },
      initramfs: 'initramfs-tools',
      options: ['console=ttyS0', 'some="quoted, words"'],
    }),
    files: Object.fromEntries(
      ['vmlinuz', 'initrd', 'addition.cpio'].map((name) => [name, hash(`${name} of ${letter}`)]),
    ),
    created: '2026-11-21T10:00:00.000Z',
  };
}

const layoutOn = (fileSystem: RootFileSystem): InstalledLayout => ({
  ...{ format: 1, layout: 'files', boot: '99999999-2222-4333-8444-555555555555', esp: 'ABCD-1234', slots: [] },
  host: { uuid: hostUuid, partitionUuid: '22222222-2222-4333-8444-555555555555', fileSystem },
});

/** Text of a file on the host partition, or what a link there says. */
export function hostLink(place: AgentlessPlace, name: string): string {
  return execFileSync('readlink', [join(place.host, name)], { encoding: 'utf8' }).trim();
}

export function hostText(place: AgentlessPlace, name: string): string {
  return readFileSync(join(place.host, name), 'utf8');
}
