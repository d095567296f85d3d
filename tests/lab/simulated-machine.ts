import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock } from '../../src/foundation/clock.ts';
import { Task } from '../../src/foundation/task.ts';
import { parseAgentSettings } from '../../src/machine/agent-settings.ts';
import type { BootEntry } from '../../src/machine/boot-pointer.ts';
import { renderTries } from '../../src/machine/boot-pointer-block.ts';
import { decideBoot } from '../../src/machine/decide-boot.ts';
import { agentPaths, bootPartitionPaths, type InstalledLayout } from '../../src/machine/installed-layout.ts';
import { bootWords } from '../../src/machine/trial.ts';
import { runningAgentProgram } from '../../src/operations/install/agent-program.ts';
import type { AgentProgram } from '../../src/operations/install/write-agent.ts';
import { commitMachine } from '../../src/operations/update/commit-machine.ts';
import { revertMachine } from '../../src/operations/update/revert-machine.ts';
import { imageOf, settleBoot } from '../../src/operations/update/settle-boot.ts';
import { softWordsPath, type ThisMachine } from '../../src/operations/update/this-machine.ts';
import { updateMachine } from '../../src/operations/update/update-machine.ts';
import { BootPartition } from '../../src/system/boot-partition.ts';
import { unmountTree } from '../../src/system/mount.ts';
import { systemProcesses } from '../../src/system/run.ts';
import { bringAsInitramfs } from './in-place-boot.ts';
import { partitionPlaces, placeOfFile } from './partition-file.ts';

/** Has `act` live with the machine whose disk is `device`; for a process of its own, whose status says whether all went well. */
export async function playMachine(
  device: string,
  directory: string,
  act: (machine: SimulatedMachine) => Promise<void>,
): Promise<void> {
  const machine = new SimulatedMachine(device, directory);
  try {
    await act(machine);
  } catch (error) {
    // Before the disk goes, which may have its own to say then.
    console.error(error);
    process.exitCode = 1;
  } finally {
    await machine.abandon();
  }
}

/** Number of the boot partition on a disk that Imprint has partitioned. */
export const bootPartitionNumber = 3;

export interface SimulatedUpdate {
  readonly inPlace?: boolean;
  readonly tries?: number;
  readonly agent?: boolean;
}

/**
 * An installed machine whose disk is a device of this computer: it is booted as GRUB and the initramfs would boot it, and does what its agent would do,
 * by the product's own code, but nothing of it runs. `work` is a directory for its mounts. Shut it down before the disk goes. It is for a process with a
 * `/run/imprint` of its own (`run-alone.ts`).
 */
export class SimulatedMachine {
  readonly #device: string;
  readonly #work: string;
  /** Where what was mounted last stands last. */
  readonly #mounted: string[] = [];
  #commandLine = '';

  constructor(device: string, work: string) {
    this.#device = device;
    this.#work = work;
  }

  get root(): string {
    return join(this.#work, 'root');
  }

  get bootDevice(): string {
    return `${this.#device}p${bootPartitionNumber}`;
  }

  /**
   * Powers it on: GRUB decides and writes its count past every file system, and the root of the entry is mounted as its initramfs would. Returns
   * the entry's id. `settle`: what the agent does first.
   */
  async boot({ settle = true } = {}): Promise<string> {
    await rm(softWordsPath, { force: true });
    const { entry, layout, entries } = await this.#grub();
    const found = entries.find(({ id }) => id === entry);
    if (found === undefined) throw new Error(`GRUB boots ${entry}, which is no entry`);
    await this.#mountRoot(layout, found, entries);
    if (settle) await settleBoot(await this.machine());
    return entry;
  }

  async shutDown(): Promise<void> {
    for (const directory of this.#mounted.splice(0).reverse()) {
      await unmountTree(systemProcesses, directory, systemClock);
    }
    await systemProcesses.run('blockdev', ['--flushbufs', this.#device], { timeout: 60_000 });
  }

  /**
   * `imprint update`, up to the pointer. `image`: `DIR#web:2`. With `agent` the slot gets the agent of the root that runs, as on a real machine; a
   * disk on which nothing will ever run needs none.
   */
  async update(image: string, { agent = false, ...options }: SimulatedUpdate = {}): Promise<void> {
    const machine = await this.machine();
    const request = { image, options: { ...options, reboot: 'none' as const }, trust: 'none' };
    const program = agent ? await agentOf(this.root) : undefined;
    await Task.run(
      'update',
      () => {},
      async (task) => void (await updateMachine(machine, { ...request, ...(program && { agent: program }) }, task)),
    );
  }

  /** `imprint commit --force`. */
  async commit(): Promise<void> {
    const machine = await this.machine();
    await Task.run(
      'commit',
      () => {},
      async (task) => void (await commitMachine(machine, { force: true }, task)),
    );
  }

  /** `imprint revert`. */
  async revert(): Promise<void> {
    const machine = await this.machine();
    const request = { options: { reboot: 'none' as const } };
    await Task.run(
      'revert',
      () => {},
      async (task) => void (await revertMachine(machine, request, task)),
    );
  }

  async machine(): Promise<ThisMachine> {
    const path = join(this.root, 'etc/imprint/agent.yaml');
    return {
      processes: systemProcesses,
      clock: systemClock,
      root: this.root,
      settings: parseAgentSettings(await readFile(path, 'utf8').catch(() => undefined), path),
      // An update in place gives what runs another name.
      words: bootWords(await readFile(softWordsPath, 'utf8').catch(() => this.#commandLine)),
      bootDevice: this.bootDevice,
    };
  }

  async #grub(): Promise<{ entry: string; layout: InstalledLayout; entries: BootEntry[] }> {
    const { layout, entries, pointer, tries } = await this.#bootPartition();
    const ids = entries.map(({ id }) => id);
    const decision = decideBoot(pointer, tries, { entries: ids });
    if (decision === undefined) throw new Error('nothing to boot');
    if (decision.write !== undefined) await this.#writeTries(renderTries(decision.write));
    const left = decision.kind === 'trial' ? ` imprint.try=${decision.left}` : '';
    this.#commandLine = `imprint.slot=${decision.entry} imprint.seq=${pointer?.sequence}${left}`;
    return { entry: decision.entry, layout, entries };
  }

  async #bootPartition() {
    await using boot = await BootPartition.open(systemProcesses, this.bootDevice);
    const [layout, entries] = [await boot.layout(), await boot.entries()];
    return { layout, entries, pointer: await boot.pointer(), tries: await boot.tries() };
  }

  /** As GRUB's `save_env`: into the file's block. */
  async #writeTries(content: Buffer): Promise<void> {
    const place = await placeOfFile(this.#device, bootPartitionNumber, bootPartitionPaths.tries);
    await systemProcesses.run(
      'dd',
      [`of=${this.#device}`, 'bs=512', `seek=${place / 512}`, 'oflag=direct', 'conv=notrunc,fsync', 'status=none'],
      { input: content, timeout: 30_000 },
    );
    await systemProcesses.run('blockdev', ['--flushbufs', this.bootDevice], { timeout: 30_000 });
  }

  async #mountRoot(layout: InstalledLayout, entry: BootEntry, entries: readonly BootEntry[]): Promise<void> {
    const slot = layout.slots.find(({ name }) => name === entry.slot) ?? layout.slots[0];
    if (layout.host === undefined) {
      if (slot === undefined) throw new Error(`no slot ${entry.slot}`);
      await this.#mount(await this.#partition(slot.partitionUuid), this.root);
      return bringAsInitramfs(entry, this.root);
    }
    const host = join(this.#work, 'host');
    await this.#mount(await this.#partition(layout.host.partitionUuid), host);
    await this.#mount(join(host, imageOf(entries, entry.id) ?? ''), this.root, 'loop');
    await this.#mount(host, join(this.root, 'hostpart'), 'bind');
  }

  async #mount(what: string, directory: string, options = 'rw'): Promise<void> {
    await mkdir(directory, { recursive: true });
    await systemProcesses.run('mount', ['-o', options, what, directory], { timeout: 120_000 });
    this.#mounted.push(directory);
  }

  async #partition(uuid: string): Promise<string> {
    const place = (await partitionPlaces(this.#device)).find((each) => each.uuid === uuid.toLowerCase());
    if (place === undefined) throw new Error(`${this.#device} has no partition ${uuid}`);
    return `${this.#device}p${place.number}`;
  }

  /** For a test that failed: nothing stays mounted. */
  async abandon(): Promise<void> {
    for (const directory of this.#mounted.splice(0).reverse()) {
      await systemProcesses.run('umount', ['--lazy', directory], { accept: [0, 1, 32], timeout: 60_000 });
    }
    await rm(this.#work, { recursive: true, force: true });
  }
}

/** The agent of this root, as it finds itself when it runs: where libraries lie beside Node, `node` is a script that starts it. */
async function agentOf(root: string): Promise<AgentProgram | undefined> {
  const bundle = join(root, agentPaths.program);
  const names = await readdir(bundle).catch((): string[] => []);
  return runningAgentProgram(bundle, join(bundle, names.includes('node.bin') ? 'node.bin' : 'node'));
}
