import { ImprintError, toImprintError } from '../foundation/errors.ts';
import type { Processes } from './run.ts';

/** What an ISO file says of itself. */
export interface IsoFile {
  /** Label. */
  volume: string;
  /** Files and directories, each with a slash in front; as deep as anything that tells families apart lies. */
  paths: Set<string>;
}

const depth = 5;

/** Reads names out of an ISO file, which is not changed. Errors: `iso-unfit` for what is none, `tool-missing`, `interrupted`. */
export async function readIsoFile(processes: Processes, path: string, signal?: AbortSignal): Promise<IsoFile> {
  const list = ['-find', '/', '-maxdepth', String(depth), '-exec', 'echo', '--'];
  const args = ['-no_rc', '-report_about', 'SORRY', '-indev', `stdio:${path}`, '-pvd_info', ...list];
  const { stdout } = await processes
    .run('xorriso', args, { timeout: 120_000, ...(signal && { signal }) })
    .catch((error) => {
      const known = toImprintError(error);
      if (known.code !== 'process-failed') throw known;
      throw new ImprintError(
        'iso-unfit',
        { iso: path, problem: 'it is no ISO file, or not a whole one.', hint: 'Fetch it again.' },
        { cause: known },
      );
    });
  const paths = new Set<string>();
  for (const line of stdout.split('\n')) {
    const match = /^'(\/.*)'$/.exec(line);
    if (match?.[1] !== undefined && match[1] !== '/') paths.add(match[1].replaceAll(`'"'"'`, "'"));
  }
  // What holds nothing that xorriso knows, it takes for an empty medium.
  if (paths.size === 0)
    throw new ImprintError('iso-unfit', {
      iso: path,
      problem: 'it is no ISO file, or an empty one.',
      hint: 'Fetch it again.',
    });
  return { volume: (/^Volume Id\s*: (.*)$/m.exec(stdout)?.[1] ?? '').trim(), paths };
}

/** Copies a file out of an ISO. Errors: `process-failed`, `tool-missing`. */
export async function extractFromIso(
  processes: Processes,
  iso: string,
  path: string,
  target: string,
  signal: AbortSignal,
): Promise<void> {
  const args = [
    '-no_rc',
    '-report_about',
    'SORRY',
    '-osirrox',
    'on',
    '-indev',
    `stdio:${iso}`,
    '-extract',
    path,
    target,
  ];
  await processes.run('xorriso', args, { timeout: 300_000, signal });
}
