import { readdir, readFile } from 'node:fs/promises';
import { toImprintError } from '../foundation/errors.ts';
import { mappedFiles, type UsingProcess, unitOfCgroup } from '../machine/changed-services.ts';
import type { Processes } from './run.ts';

/** Processes that use one of these files (absolute), which are to be replaced. What ends meanwhile is passed over. */
export async function usersOf(wanted: ReadonlySet<string>, proc = '/proc'): Promise<UsingProcess[]> {
  const found: UsingProcess[] = [];
  for (const pid of (await readdir(proc)).filter((name) => /^\d+$/.test(name))) {
    try {
      const maps = await readFile(`${proc}/${pid}/maps`, 'utf8');
      const files = mappedFiles(maps).filter((path) => wanted.has(path));
      if (files.length === 0) continue;
      const unit = unitOfCgroup(await readFile(`${proc}/${pid}/cgroup`, 'utf8'));
      const name = (await readFile(`${proc}/${pid}/comm`, 'utf8')).trim();
      found.push({ pid: Number(pid), name, files, ...(unit === undefined ? {} : { unit }) });
    } catch {
      // It has ended.
    }
  }
  return found;
}

/** Units of all processes that run. */
export async function runningUnits(proc = '/proc'): Promise<Set<string>> {
  const units = new Set<string>();
  for (const pid of (await readdir(proc)).filter((name) => /^\d+$/.test(name))) {
    const unit = unitOfCgroup(await readFile(`${proc}/${pid}/cgroup`, 'utf8').catch(() => ''));
    if (unit !== undefined) units.add(unit);
  }
  return units;
}

/**
 * Has systemd read its units anew, and restarts those services that run; `stopped`: also those that do not, which they did before a restart failed. One that
 * fails to start is told, and does not keep the others from it. Returns what failed, in words.
 */
export async function restartServices(
  processes: Processes,
  units: readonly string[],
  { stopped = false }: { stopped?: boolean } = {},
): Promise<string[]> {
  const problems: string[] = [];
  const attempt = async (args: string[]) => {
    try {
      const { status, stderr } = await processes.run('systemctl', args, { timeout: 120_000, accept: [0, 1, 3, 4, 5] });
      if (status !== 0) problems.push(stderr.trim() || `systemctl ${args.join(' ')} ended with ${status}`);
    } catch (thrown) {
      // One that takes too long, too: whether the system is well is looked at after it.
      problems.push(toImprintError(thrown).message);
    }
  };
  await attempt(['daemon-reload']);
  // What has failed too often is not started again, whatever has become of its files.
  if (stopped) await attempt(['reset-failed', ...units]);
  for (const unit of units) await attempt([stopped ? 'restart' : 'try-restart', unit]);
  return problems;
}
