import { rename, writeFile } from 'node:fs/promises';
import { hostname, networkInterfaces } from 'node:os';
import { dirname } from 'node:path';
import type { PrepareInput, PrepareOutput } from '../contract/operations/prepare.ts';
import { displayPath, type RawPath } from '../foundation/brand.ts';
import { ImprintError } from '../foundation/errors.ts';
import type { Task } from '../foundation/task.ts';
import { leftOutMeaning } from '../machine/mounts.ts';
import { consistencyWords, planSnapshots } from '../machine/snapshot-plan.ts';
import { type MachineAnswers, surveySource } from '../machine/source-facts.ts';
import { makeDirectories } from '../store/make-directories.ts';
import { type Door, openDoor } from '../system/door.ts';
import { askThisMachine } from '../system/local-survey.ts';
import type { Context } from './context.ts';

/** A machine that is prepared; its door, if one was opened, closes when this is disposed of. */
export interface PreparedGolden extends AsyncDisposable {
  readonly output: PrepareOutput;
  readonly door?: Door;
}

/**
 * Looks at this machine as a capture of it would, and opens the door. Errors: `not-root`, `tool-missing`, `port-in-use`,
 * `interrupted`.
 */
export async function prepareGolden(context: Context, input: PrepareInput, task: Task): Promise<PreparedGolden> {
  if (process.getuid?.() !== 0) throw new ImprintError('not-root', { action: 'Preparing this machine' });
  const answers = await task.part('look at this machine', (part) =>
    askThisMachine('/', context.processes, part.signal),
  );
  const survey = surveySource(answers, hostname(), '/' as RawPath, false);
  const steps = planSnapshots(answers, survey.allMounts, survey.mounts);
  const { facts } = survey;
  if (input.record !== undefined) await record(input.record, { format: 1, facts });
  const address = input.address ?? ownAddress() ?? hostname();
  const door = input.door
    ? await task.part('open the door', (part) =>
        openDoor({ processes: context.processes, port: input.port, seconds: input.minutes * 60, signal: part.signal }),
      )
    : undefined;
  const host = address.includes(':') ? `[${address}]` : address;
  return {
    output: {
      facts,
      consistency: steps.map(({ mount, method, reason }) => ({
        mountPoint: displayPath(mount.mountPoint),
        type: mount.type,
        consistency: consistencyWords[method],
        ...(reason === undefined ? {} : { reason }),
      })),
      leftOut: survey.mounts.leftOut
        .filter(({ reason }) => reason !== 'kernel' && reason !== 'memory')
        .map(({ mount, reason }) => ({
          mountPoint: displayPath(mount.mountPoint),
          type: mount.type,
          reason: leftOutMeaning[reason],
        })),
      scripts: (answers.get('capture-scripts') ?? '').split('\n').filter((line) => line.startsWith('/')),
      problems: problemsOf(answers),
      ...(input.record === undefined ? {} : { record: input.record }),
      ...(door === undefined
        ? {}
        : {
            door: {
              port: input.port,
              until: new Date(context.clock.now() + input.minutes * 60_000).toISOString(),
              token: door.token,
              command: `imprint capture ssh://root@${host}:${input.port} --door ${door.token} --name NAME`,
            },
          }),
    },
    ...(door === undefined ? {} : { door }),
    async [Symbol.asyncDispose]() {
      await door?.[Symbol.asyncDispose]();
    },
  };
}

/** Waits until the door was used and the capture is done. Errors: `door-unused`. */
export async function waitAtDoor(door: Door, input: PrepareInput, task: Task): Promise<void> {
  const address = await task.part('wait for the capture', () => door.used);
  if (address === undefined) {
    task.signal.throwIfAborted();
    throw new ImprintError('door-unused', { minutes: input.minutes });
  }
  task.log(`${address} came in; nobody else can`);
  await task.part('being captured', () => door.over);
}

/** What a capture over ssh would fail for. */
function problemsOf(answers: MachineAnswers): string[] {
  const answer = (name: string) => answers.get(name) ?? '';
  return [
    ...(answer('tar').includes('GNU tar') ? [] : ['it has no GNU tar: install the package tar']),
    ...(answer('find').includes('GNU findutils') ? [] : ['it has no GNU find: install the package findutils']),
    ...(answer('tar-help').includes('--xattrs-include')
      ? []
      : ['its tar cannot read extended attributes: install GNU tar 1.27 or newer']),
  ];
}

async function record(path: string, content: unknown): Promise<void> {
  await makeDirectories(dirname(path));
  await writeFile(`${path}.new`, `${JSON.stringify(content, undefined, 2)}\n`);
  await rename(`${path}.new`, path);
}

function ownAddress(): string | undefined {
  const all = Object.values(networkInterfaces())
    .flatMap((each) => each ?? [])
    .filter(({ internal, address }) => !internal && !address.startsWith('fe80:') && !address.startsWith('169.254.'));
  return (all.find(({ family }) => family === 'IPv4') ?? all[0])?.address;
}
