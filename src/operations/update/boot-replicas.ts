import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Clock } from '../../foundation/clock.ts';
import { toImprintError } from '../../foundation/errors.ts';
import type { InstalledLayout } from '../../machine/installed-layout.ts';
import { keepReplica, ownUuid } from '../../system/boot-replica.ts';
import { findFileSystem } from '../../system/find-partition.ts';
import type { Processes } from '../../system/run.ts';

/** What is wrong with the boot partitions of other disks, a line each; empty: they are alike. */
export const replicaProblemsPath = '/run/imprint/boot-replicas';

/** What was wrong when they were last made alike. */
export async function replicaProblems(): Promise<string[]> {
  const text = await readFile(replicaProblemsPath, 'utf8').catch(() => '');
  return text.split('\n').filter((line) => line !== '');
}

const mountAt = '/run/imprint/boot-copy';

/**
 * Makes the boot partitions of a machine's other disks like the one that it was started from, which lies in `directory`. With a disk gone, or broken, the others
 * are kept all the same, and it is written down. Never rejects: what was changed is on the one that counts.
 */
export async function keepBootsAlike(
  { processes, clock }: { processes: Processes; clock: Clock },
  directory: string,
  { boots = [] }: InstalledLayout,
): Promise<void> {
  if (boots.length < 2) return;
  const problems: string[] = [];
  try {
    const own = await ownUuid(directory);
    for (const uuid of boots.filter((each) => each !== own)) {
      const device = await findFileSystem(processes, uuid);
      if (device === undefined) {
        problems.push(`the boot partition ${uuid} is not there: its disk cannot start this machine`);
        continue;
      }
      try {
        await keepReplica(processes, clock, { source: directory, device, uuid, mountAt });
      } catch (thrown) {
        problems.push(
          `the boot partition ${device} could not be made like the others: ${toImprintError(thrown).message}`,
        );
      }
    }
  } catch (thrown) {
    problems.push(toImprintError(thrown).message);
  }
  await mkdir(dirname(replicaProblemsPath), { recursive: true })
    .then(() => writeFile(replicaProblemsPath, problems.map((line) => `${line}\n`).join('')))
    .catch(() => {});
}
