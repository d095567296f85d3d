import type { VersionRecord } from '../../contract/image.ts';
import type { Script } from '../../contract/scripts.ts';
import type { Clock } from '../../foundation/clock.ts';
import type { Task } from '../../foundation/task.ts';
import type { ImageContent } from '../../machine/image-content.ts';
import type { StepOf } from '../../planning/step.ts';
import type { Store } from '../../store/store.ts';
import type { Processes } from '../../system/run.ts';
import type { OldChunks } from './old-chunks.ts';
import type { EntryMakers } from './prepare-entry.ts';
import type { AgentProgram, KeptVersion } from './write-agent.ts';

/** What the executors of an install work with. */
export interface InstallContext {
  readonly processes: Processes;
  readonly clock: Clock;
  /** Where the new root is mounted while it is filled. */
  readonly target: string;
  /** What the manifest told of the image. */
  readonly content: ImageContent;
  /** Fills the target with the version, verified; keeps what it wrote on failure. */
  restore(target: string, task: Task): Promise<void>;
  /** The agent to install; absent: this program has none with it (it runs from its sources). */
  readonly agent?: InstallAgent;
  /** What the slot keeps of the version. */
  keptVersion?(): Promise<KeptVersion>;
  /** File of the object that is brought back, verified. */
  object?(): Promise<Uint8Array>;
  /** Keeps a safety copy of what boots from a disk that is about to be written; resolves with where, in words. */
  keepBootCopy?(copy: { file: string; machine: string }, signal: AbortSignal): Promise<string>;
  /** What is taken from the system that goes; absent: nothing. */
  readonly old?: OldSystem;
  /** The scripts of the order. */
  readonly scripts?: readonly Script[];
  /** Seconds that one may take; default: an hour. */
  readonly scriptLimit?: number;
  /** The secret by which an encrypted device is opened; absent: there is none, and nothing encrypted is made. */
  secretOf?(crypt: { name: string; keyFile?: string }, signal: AbortSignal): Promise<Uint8Array>;
  /** Keys that `secretOf` made up, by the names of the devices. */
  readonly keys?: ReadonlyMap<string, string>;
  /** How the first entry is made, where not as always. */
  readonly makers?: EntryMakers;
  /** How the system is started before it is installed; absent: it cannot be. */
  readonly live?: LiveRoot;
  /** Where GRUB's files are; default: where the distribution has them. */
  readonly grub?: string;
}

/** A root that is in use before its content is there. */
export interface LiveRoot {
  /** Makes it, and mounts it at the target. */
  start(step: StepOf<'start-live'>, task: Task): Promise<void>;
  /** Ends when the system's own init runs. */
  handOver(task: Task): Promise<void>;
  /** Ends when the root is the partition alone. */
  move(step: StepOf<'move-live'>, task: Task): Promise<void>;
  /** Whether the system runs. */
  readonly handedOver: boolean;
  /** Lets go of everything where it does not run. Never rejects. */
  abandon(): Promise<void>;
}

/** What is wanted of the system that an install takes the place of. */
export interface OldSystem {
  /** Where it is kept until the restore. */
  readonly chunks: OldChunks;
  /** The version that is installed, and where it is fetched from. */
  readonly record: VersionRecord;
  readonly store: Store;
  /** Bytes of memory that nothing uses now. */
  freeMemory(): number;
}

/** Where the file systems of the system that goes are mounted meanwhile, each in a directory of its own. */
export function oldDirectory({ target }: Pick<InstallContext, 'target'>): string {
  return `${target}-old`;
}

/** The agent, and whom it is to trust. */
export interface InstallAgent {
  readonly program: AgentProgram;
  /** Text of the server's public key. */
  readonly publicKey?: string;
  /** Directory as of `AgentInstallation`. */
  readonly trust?: string;
}

/** Where the host partition is mounted meanwhile. */
export function hostDirectory({ target }: Pick<InstallContext, 'target'>): string {
  return `${target}-host`;
}

/** Where the boot partition is mounted meanwhile. */
export function bootDirectory({ target }: Pick<InstallContext, 'target'>): string {
  return `${target}-boot`;
}

/** Where its copies are. */
export function copyDirectory({ target }: Pick<InstallContext, 'target'>): string {
  return `${target}-boot-copy`;
}
