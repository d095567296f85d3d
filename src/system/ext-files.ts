import { readdir } from 'node:fs/promises';
import { ImprintError } from '../foundation/errors.ts';
import type { Processes } from './run.ts';

/** A text file of an ext file system that begins at byte `start` of a disk or image, read without mounting it. Errors: `tool-missing`, `process-failed`. */
export async function readExtFile(
  processes: Processes,
  disk: string,
  start: number,
  path: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  const args = ['-R', `cat ${path}`, `${disk}?offset=${start}`];
  const { stdout, stderr } = await processes.run('debugfs', args, { timeout: 60_000, signal, accept: [0, 1] });
  return stdout === '' && stderr.includes('not found') ? undefined : stdout;
}

/** Copies a directory of it, with all below it, into another. Errors: `io-failed` where it is not there; `tool-missing`, `process-failed`. */
export async function dumpExtDirectory(
  processes: Processes,
  disk: string,
  start: number,
  path: string,
  target: string,
  signal: AbortSignal,
): Promise<void> {
  // Owners and times are nobody's concern here, and cannot be set without root.
  const args = ['-R', `rdump ${path} ${target}`, `${disk}?offset=${start}`];
  const { stderr } = await processes.run('debugfs', args, { timeout: 120_000, signal, accept: [0, 1] });
  if ((await readdir(target)).length > 0) return;
  const problem = stderr.trim().split('\n').at(-1) ?? 'nothing was copied';
  throw new ImprintError('io-failed', { operation: `reading ${path} from`, path: disk, problem });
}

/** Copies a file of it; where there is none, nothing is made. Errors: `tool-missing`, `process-failed`. */
export async function dumpExtFile(
  processes: Processes,
  disk: string,
  start: number,
  path: string,
  target: string,
  signal: AbortSignal,
): Promise<void> {
  const args = ['-R', `dump ${path} ${target}`, `${disk}?offset=${start}`];
  await processes.run('debugfs', args, { timeout: 300_000, signal, accept: [0, 1] });
}
