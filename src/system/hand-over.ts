import { readFile, rm, stat, writeFile } from 'node:fs/promises';
import type { Clock } from '../foundation/clock.ts';
import { ImprintError } from '../foundation/errors.ts';
import { initPaths } from '../machine/image-content.ts';
import { rootFiles } from './root-files.ts';

/** Milliseconds until the first process must have become the system's init. */
const patience = 60_000;

/**
 * Has the imager's init become the init of the system that is mounted at `root`. This process, and what it needs, lives on below it; its name says to
 * systemd that it must not be ended before the root is let go of (https://systemd.io/ROOT_STORAGE_DAEMONS). Resolves when that init runs. Errors: `step-failed`, after which
 * the imager is the one that it was.
 */
export async function handOver(directory: string, root: string, clock: Clock): Promise<void> {
  const init = await findInit(root);
  if (init === undefined) throw failed(`it has no init (${initPaths.map((path) => `/${path}`).join(', ')})`);
  process.title = '@imprint-live';
  await rm(`${directory}/hand-over-failed`, { force: true });
  const before = await readFile('/proc/1/cmdline', 'utf8');
  await writeFile(`${directory}/hand-over`, `${root}\n/${init}\n`);
  process.kill(1, 'SIGHUP');
  for (let waited = 0; waited < patience; waited += 100) {
    await clock.sleep(100);
    const problem = await readFile(`${directory}/hand-over-failed`, 'utf8').catch(() => undefined);
    if (problem !== undefined) throw failed(problem.trim());
    if ((await readFile('/proc/1/cmdline', 'utf8')) !== before) return;
  }
  throw failed('the first process does not hand over');
}

async function findInit(root: string): Promise<string | undefined> {
  const files = rootFiles(root);
  for (const path of initPaths) {
    const found = await files
      .resolve(path)
      .then((file) => stat(file))
      .catch(() => undefined);
    if (found?.isFile() && (found.mode & 0o111) !== 0) return path;
  }
  return undefined;
}

function failed(problem: string): ImprintError {
  return new ImprintError('step-failed', { step: 'start the system', machine: 'this machine', problem });
}
