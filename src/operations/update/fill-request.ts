import type { Clock } from '../../foundation/clock.ts';
import type { Task } from '../../foundation/task.ts';
import type { BootEntry } from '../../machine/boot-pointer.ts';
import type { ImageContent } from '../../machine/image-content.ts';
import type { InstalledLayout } from '../../machine/installed-layout.ts';
import type { RootFileSystem } from '../../machine/root-file-system.ts';
import type { Processes } from '../../system/run.ts';
import type { ConvergedTree } from '../../tree/converge-tree.ts';
import type { EntryMakers } from '../install/prepare-entry.ts';
import type { AgentProgram } from '../install/write-agent.ts';
import type { KeptObject } from './object-state.ts';
import type { UpdateContent } from './update-content.ts';

/** What a slot is filled with, and for whom. */
export interface FillRequest {
  content: UpdateContent;
  /** `web:3`. */
  reference: string;
  layout: InstalledLayout;
  /** Of several systems beside each other the one that it becomes a version of. */
  system?: string;
  /** What the manifest tells of the image (`readImageContent`). */
  image: ImageContent;
  /** What makes this machine itself (`keepObject`): laid over the version. */
  object: KeptObject;
  /** Where that object came from, whose history goes with it where it lies in the root itself. */
  stateDirectory: string;
  /** The machine's own kernel options (`machineKernelOptions`). */
  kernelOptions?: readonly string[];
  /** Seconds that a boot on trial has. */
  trialSeconds?: number;
  /** The agent to put in; absent: none. */
  agent?: AgentProgram;
  /** How the parts of an entry are made; another way is for tests. */
  makers?: EntryMakers;
  /** Where the slot is mounted meanwhile. Default: `/run/imprint/slot`. */
  mountAt?: string;
  processes: Processes;
  clock: Clock;
  task: Task;
}

/** A slot that holds a version, whole and on its disk, and what the boot partition must have to boot it. Nothing of it is mounted. */
export interface FilledSlot {
  entry: BootEntry;
  files: { vmlinuz: Buffer; initrd?: Buffer; addition?: Buffer };
  report: FillReport;
}

export interface FillReport {
  /** Whether the slot was what it began with, and not made empty before. */
  reused: boolean;
  /** Files and bytes of content that were written; entries that were right already. */
  files: number;
  bytes: number;
  removed: number;
  kept: number;
  warnings: string[];
  /** Whether the agent runs in the new version. */
  agent: boolean;
}

/** Where the new root lies. */
export interface SlotRoot {
  /** `a`; `file`. */
  slot: string;
  uuid: string;
  fileSystem: RootFileSystem;
}

/** A tree that has become a version, and the machine's. */
export interface FilledTree {
  converged: ConvergedTree;
  /** Raw paths that are the machine's own: not as the version has them. */
  personal: ReadonlySet<string>;
  agent: boolean;
}
