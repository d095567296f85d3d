import { lstatSync } from 'node:fs';
import { realpath } from 'node:fs/promises';
import { resolve } from 'node:path';
import { type RawPath, rawPath } from '../../foundation/brand.ts';
import { machineSecrets, suspectGlobs } from '../../machine/secrets.ts';
import { surveySource } from '../../machine/source-facts.ts';
import { askThisMachine } from '../../system/local-survey.ts';
import { captureDirectory } from '../../tree/capture-directory.ts';
import { type CapturedSource, digestOf, type SourceCapture } from './captured-source.ts';
import { holdStill } from './hold-still.ts';
import { type CaptureRules, rulesFor } from './source-rules.ts';

/** Captures a directory of this machine; `/` is this machine itself. Errors: `source-not-found`, those of `captureDirectory`. */
export async function captureLocal(capture: SourceCapture): Promise<CapturedSource> {
  const { input, store, task } = capture;
  const answers = await askThisMachine(resolve(input.source), capture.processes, task.signal);
  const root = (answers.get('root') ?? '').trim() as RawPath;
  const location = Buffer.from(root, 'latin1').toString('utf8');
  const survey = surveySource(answers, location, root, input.oneFileSystem);
  const asRoot = process.getuid?.() === 0;
  await using held = await holdStill({
    ...{ input, survey, answers, root, task, host: 'this machine' },
    // It sees our end at once: its standard input ends with us.
    patience: 86_400,
    ...(root === '/' ? { scripts: '/etc/imprint' } : {}),
    ...(asRoot ? { start: (command, args) => capture.processes.start('sh', ['-c', command, 'sh', ...args]) } : {}),
  });
  const directory = held.view?.directory ?? root;
  const rules = rulesFor(input, survey, root, await realPaths(capture.ownDirectories), task);
  const { excluder, secrets, leftOut } = rules;
  const scrubbed = new Set<RawPath>();
  const suspects: RawPath[] = [];
  const actionFor = (path: RawPath, isDirectory: boolean) => {
    const action = secrets?.find(path, isDirectory, true);
    if (action === undefined || secrets?.find(path, isDirectory, false) !== undefined) return action;
    return isFile(directory, path) ? action : undefined;
  };
  const before = input.paranoid ? undefined : capture.previous(location);
  const transaction = await capture.begin();
  try {
    const tree = await task.part('read', (part) =>
      captureDirectory({
        directory,
        transaction,
        task: part,
        ...(before === undefined ? {} : { previous: { store, digest: digestOf(before) } }),
        ...(held.asOf === undefined ? {} : { snapshot: { devices: realDevices(held.devices), asOf: held.asOf } }),
        remember: { rules: textOf(rules), notes: () => JSON.stringify({ scrubbed: [...scrubbed], suspects }) },
        enter: (path) => !leftOut.has(path),
        exclude: (path, isDirectory) => {
          if (excluder.excludes(path, isDirectory)) return true;
          const action = actionFor(path, isDirectory);
          if (action !== undefined) scrubbed.add(path);
          else if (secrets?.isSuspect(path)) suspects.push(path);
          return action === 'remove';
        },
        substitute: (path) => (actionFor(path, false) === 'empty' ? new Uint8Array(0) : undefined),
      }),
    );
    await held.letGo();
    const told: Notes = tree.notes === undefined ? { scrubbed: [...scrubbed], suspects } : JSON.parse(tree.notes);
    for (const path of told.suspects) task.log(`kept, though it may be a secret: /${path}`);
    return {
      transaction,
      manifest: tree.manifest,
      facts: held.facts,
      stats: tree.stats,
      excluded: rules.excluded,
      scrubbed: told.scrubbed,
      warnings: tree.warnings,
      unchangedFiles: tree.unchanged,
    };
  } catch (error) {
    await transaction[Symbol.asyncDispose]();
    throw error;
  }
}

/** What is told of a capture beside its entries. */
interface Notes {
  scrubbed: RawPath[];
  suspects: RawPath[];
}

/** All that decides what is captured, as text. */
function textOf({ globs, secrets, leftOut }: CaptureRules): string {
  return JSON.stringify([1, globs, secrets !== undefined, machineSecrets, suspectGlobs, [...leftOut].sort()]);
}

/** Numbers of devices as `FileStatus` has them, from those of stat(2) (`gnu_dev_major` of glibc). */
function realDevices(devices: ReadonlyMap<string, string>): Map<number, number> {
  const numberOf = (text: string) => {
    const device = BigInt(text);
    const major = ((device >> 8n) & 0xfffn) | ((device >> 32n) & ~0xfffn);
    const minor = (device & 0xffn) | ((device >> 12n) & 0xffffff00n);
    return Number(major) * 0x10_0000 + Number(minor);
  };
  return new Map([...devices].map(([seen, real]) => [numberOf(seen), numberOf(real)]));
}

async function realPaths(directories: readonly string[]): Promise<RawPath[]> {
  const found = await Promise.all(directories.map((directory) => realpath(directory).catch(() => undefined)));
  return [...new Set(found.filter((path) => path !== undefined))].map(rawPath);
}

function isFile(root: RawPath, path: RawPath): boolean {
  const absolute = Buffer.from(`${root === '/' ? '' : root}/${path}`, 'latin1');
  return lstatSync(absolute, { throwIfNoEntry: false })?.isFile() ?? false;
}
