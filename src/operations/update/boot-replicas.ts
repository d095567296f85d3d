import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Clock } from '../../foundation/clock.ts';
import { toImprintError } from '../../foundation/errors.ts';
import type { InstalledLayout } from '../../machine/installed-layout.ts';
import type { BootReplicas } from '../../system/boot-partition.ts';
import { adoptNewer, keepReplica, ownUuid } from '../../system/boot-replica.ts';
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
 * The boot partitions of a machine's disks, of which each starts it. The one that it was started from counts, unless another one knows a later state: then its disk was
 * away meanwhile, or firmware chose another one. With a disk gone, or broken, the others are kept all the same, and it is written down.
 */
export function bootReplicas({ processes, clock }: { processes: Processes; clock: Clock }): BootReplicas {
  return {
    async adoptNewer(open, layout) {
      await eachOther(processes, open.directory, layout, async (device) => {
        await adoptNewer(processes, clock, { open, device, mountAt });
      });
    },
    async keepAlike(directory, layout) {
      const problems = await eachOther(processes, directory, layout, (device, uuid) =>
        keepReplica(processes, clock, { source: directory, device, uuid, mountAt }),
      );
      if (problems === undefined) return;
      await mkdir(dirname(replicaProblemsPath), { recursive: true })
        .then(() => writeFile(replicaProblemsPath, problems.map((line) => `${line}\n`).join('')))
        .catch(() => {});
    },
  };
}

/** Does something with each of the others, and says what was in the way; undefined: there are none. Never rejects. */
async function eachOther(
  processes: Processes,
  directory: string,
  { boots = [] }: InstalledLayout,
  work: (device: string, uuid: string) => Promise<void>,
): Promise<string[] | undefined> {
  if (boots.length < 2) return undefined;
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
        await work(device, uuid);
      } catch (thrown) {
        problems.push(
          `the boot partition ${device} could not be made like the others: ${toImprintError(thrown).message}`,
        );
      }
    }
  } catch (thrown) {
    problems.push(toImprintError(thrown).message);
  }
  return problems;
}
