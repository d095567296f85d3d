import type { SourceFacts } from '../../contract/image.ts';
import type { CaptureInput } from '../../contract/operations/capture.ts';
import { displayPath, type RawPath } from '../../foundation/brand.ts';
import { ImprintError } from '../../foundation/errors.ts';
import type { Task } from '../../foundation/task.ts';
import { relativeTo } from '../../machine/mounts.ts';
import { consistencyWords, hasSnapshots, planSnapshots, type SnapshotStep } from '../../machine/snapshot-plan.ts';
import type { MachineAnswers, SourceSurvey } from '../../machine/source-facts.ts';
import { type KeeperProcess, startKeeper } from '../../system/golden-keeper.ts';

export interface HoldStillOptions {
  input: CaptureInput;
  survey: SourceSurvey;
  answers: MachineAnswers;
  root: RawPath;
  /** For people: `root@golden`, `this machine`. */
  host: string;
  /** Seconds without a word from us after which the machine cleans up by itself. */
  patience: number;
  /** Directory of `pre-capture.d` and `post-capture.d`; absent: scripts are none of this capture's business. */
  scripts?: string;
  /** Starts a command on the machine, as root; absent where we may not. */
  start?: (command: string, args: readonly string[]) => KeeperProcess;
  task: Task;
}

/** A source that holds still as far as it can, until it is let go. */
export interface HeldStill extends AsyncDisposable {
  /** The directory that is to be read in place of the source's root; undefined: the root itself. */
  readonly view?: { directory: RawPath; readers: string };
  /** Nothing that is read can change: no second look is needed. */
  readonly isStill: boolean;
  /** Seconds since 1970 by the source's clock, at which the content was as it is read; undefined: when it is read. */
  readonly asOf?: number;
  /** Numbers of file systems (st_dev) in the view, and what they are in truth. */
  readonly devices: ReadonlyMap<string, string>;
  /** The facts, with what each file system was captured from. */
  readonly facts: SourceFacts;
  /** Lets go, once all was read. Errors: `golden-unfit` where a snapshot was full before that, and what was read is not to be trusted;
   * `golden-lost` where that cannot be known. */
  letGo(): Promise<void>;
}

const methodWords = {
  btrfs: 'a btrfs snapshot',
  lvm: 'an LVM snapshot',
  'lvm-thin': 'an LVM snapshot',
  'frozen-copy': 'a copy made while it was frozen',
  still: 'itself, mounted read-only',
} as const;

/**
 * Makes of a source what can be read consistently: the scripts before a capture are run, snapshots made, and what could not be
 * snapshotted is said aloud. Errors: `golden-unfit` where a script before the capture failed.
 */
export async function holdStill(options: HoldStillOptions): Promise<HeldStill> {
  const { survey, answers, input, task, start, host } = options;
  const hasScripts = options.scripts !== undefined && !input.noScripts && scriptsOf(answers, options.scripts);
  const planned = planSnapshots(answers, survey.allMounts, survey.mounts);
  const steps = start === undefined ? planned.map((step) => asLive(step, 'this needs root')) : planned;
  const wanted = !input.noSnapshot && hasSnapshots(steps);
  if (start === undefined || (!wanted && !hasScripts)) {
    return asItIs(options, input.noSnapshot ? steps.map((step) => asLive(step, '--no-snapshot')) : steps);
  }
  const keeper = await task.part('hold the machine still', async (part) =>
    startKeeper(start, {
      steps: wanted ? steps : [],
      ...(hasScripts && options.scripts !== undefined ? { scripts: options.scripts } : {}),
      patience: options.patience,
      onLog: (message) => part.log(message),
      onWarning: (message) => part.warn(message),
    }),
  );
  const { answer } = keeper;
  if (answer.kind === 'script-failed') {
    await keeper.release();
    throw new ImprintError('golden-unfit', {
      host,
      problem: `its pre-capture script ${answer.name} ended with status ${answer.status}`,
      hint: 'What it said stands above. Mend it, or capture with --no-scripts.',
    });
  }
  if (answer.kind === 'unable') {
    await keeper.release();
    return asItIs(
      options,
      steps.map((step) => asLive(step, answer.reason)),
    );
  }
  const done = steps.map((step, index) => asLive(step, answer.live.get(index)));
  tell(done, task);
  const letGo = async () => {
    const released = await keeper.release();
    const full = released.full.map((index) => steps[index]?.mount.mountPoint ?? '');
    if (full.length === 0 && (released.checked || answer.view === undefined)) return;
    if (full.length === 0) {
      throw new ImprintError('golden-lost', {
        host,
        problem: 'it could not say any more whether its snapshots lasted until all was read',
      });
    }
    throw new ImprintError('golden-unfit', {
      host,
      problem: `the snapshot of ${full.map((point) => displayPath(point as RawPath)).join(', ')} was full before all was read`,
      hint: 'Give its volume group more free space, or capture with --no-snapshot.',
    });
  };
  const inside = relativeTo(done[0]?.mount.mountPoint ?? options.root, options.root);
  return {
    ...(answer.view === undefined
      ? {}
      : {
          view: {
            directory: `${answer.view}${inside === '' ? '' : `/${inside}`}` as RawPath,
            readers: `${answer.directory}/readers`,
          },
          asOf: answer.clock,
        }),
    isStill: answer.view !== undefined && done.every(({ method }) => method !== 'live'),
    devices: answer.devices,
    facts: withConsistency(survey.facts, done),
    letGo,
    async [Symbol.asyncDispose]() {
      await keeper.release();
    },
  };
}

/** Nothing is done to the source: it is read as it is, live. */
function asItIs({ survey, task }: HoldStillOptions, steps: readonly SnapshotStep[]): HeldStill {
  tell(steps, task);
  return {
    isStill: false,
    devices: new Map(),
    facts: withConsistency(survey.facts, steps),
    letGo: async () => {},
    [Symbol.asyncDispose]: async () => {},
  };
}

function asLive(step: SnapshotStep, reason: string | undefined): SnapshotStep {
  return reason === undefined || step.method === 'still' || step.method === 'live'
    ? step
    : { ...step, method: 'live', reason };
}

function tell(steps: readonly SnapshotStep[], task: Task): void {
  for (const { mount, method, reason } of steps) {
    const point = displayPath(mount.mountPoint);
    if (method === 'live') task.log(`read live: ${point} (${reason ?? 'no snapshot'})`);
    else task.log(`held still: ${point}, read from ${methodWords[method]}`);
  }
}

function withConsistency(facts: SourceFacts, steps: readonly SnapshotStep[]): SourceFacts {
  const words = new Map(steps.map(({ mount, method }) => [displayPath(mount.mountPoint), consistencyWords[method]]));
  return {
    ...facts,
    fileSystems: facts.fileSystems.map((each) => {
      const consistency = each.captured ? words.get(each.mountPoint) : undefined;
      return consistency === undefined ? each : { ...each, consistency };
    }),
  };
}

function scriptsOf(answers: MachineAnswers, directory: string): boolean {
  return (answers.get('capture-scripts') ?? '').split('\n').some((line) => line.startsWith(`${directory}/`));
}
