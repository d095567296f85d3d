import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { z } from 'zod';
import type { DiskMediaOutput, diskMedia } from '../../contract/operations/media.ts';
import type { Clock } from '../../foundation/clock.ts';
import { ImprintError } from '../../foundation/errors.ts';
import type { Task } from '../../foundation/task.ts';
import { type PublicKey, parsePublicKey } from '../../image/signature.ts';
import { agentFiles } from '../../machine/agent-files.ts';
import { imagerMenuId } from '../../machine/imager-once.ts';
import { restartFully } from '../../system/restart.ts';
import type { Processes } from '../../system/run.ts';
import { wayToServer } from '../../system/way-to-server.ts';
import { restartInto } from '../update/restart-into.ts';
import type { ThisMachine } from '../update/this-machine.ts';
import { type FetchedImager, fetchImager } from './fetch-imager.ts';
import { stageImagerByGrub, unstageImagerByGrub } from './imager-by-grub.ts';
import { stageImager, unstageImager } from './stage-imager.ts';

type Input = z.output<typeof diskMedia.input>;

/** What was done, and the restart that is left to do. */
export interface ImagerOnDisk {
  output: DiskMediaOutput;
  /** Nothing where it is `none`. Does not come back where it worked. */
  restart(tell: (message: string) => void): Promise<void>;
}

/** The machine that this runs on. */
export interface ImagerPlace {
  processes: Processes;
  clock: Clock;
  /** `/`, but in tests. */
  root: string;
  /** Absent: Imprint did not install it. */
  machine?: ThisMachine;
}

/**
 * `imprint media disk`: by the boot pointer where Imprint installed this machine, else by the GRUB that is there. Errors: those of `diskMedia`.
 */
export async function putImagerOnDisk(place: ImagerPlace, input: Input, task: Task): Promise<ImagerOnDisk> {
  const { processes, clock, machine } = place;
  const by = machine === undefined ? 'grub' : 'imprint';
  const { cancel, restart } = input;
  if (cancel) {
    const cancelled = await (machine === undefined ? unstageImagerByGrub(place) : unstageImager(machine));
    return { output: { by, cancelled, restart: 'none' }, restart: async () => {} };
  }
  if (machine === undefined && restart === 'kexec') {
    throw new ImprintError('input-invalid', {
      field: '--reboot',
      problem: 'kexec is for machines that Imprint installed',
    });
  }
  const server = serverOf(place, input);
  const key = await readKey(place, input);
  const network = await wayToServer(processes, server);
  if (network === undefined) task.warn('The card to the server is not known here: the imager tries every one by DHCP.');
  const commandLine = await readFile('/proc/cmdline', 'utf8').catch(() => '');
  const start = { server, patience: input.patience * 60, commandLine, ...(network && { network }) };
  const fetch = (): Promise<FetchedImager> => task.part('fetch the imager', (part) => fetchImager(server, key, part));
  if (machine !== undefined) {
    const { id, kernelVersion } = await stageImager(machine, start, fetch);
    return {
      output: { entry: id, by, server, kernel: kernelVersion, restart },
      restart: (tell) => restartInto(machine, id, restart, { signal: task.signal, tell }),
    };
  }
  const { record } = await stageImagerByGrub(place, start, fetch);
  return {
    output: { entry: imagerMenuId, by, server, kernel: record.kernel, restart },
    restart: async () => {
      if (restart === 'full') await restartFully(processes, clock, task.signal);
    },
  };
}

function serverOf({ machine }: ImagerPlace, input: Input): string {
  const server = (input.server ?? machine?.settings.server)?.replace(/\/+$/, '');
  if (server !== undefined) return server;
  throw new ImprintError('input-invalid', { field: '--url', problem: 'this machine has no server; name it' });
}

/** Whose imager is believed. */
async function readKey({ root }: ImagerPlace, input: Input): Promise<PublicKey> {
  const path = input.key ?? join(root, agentFiles.serverKey);
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    const problem = `there is no ${path}; without the server's public key (keys/server.pub of its data) nothing that it sends can be believed`;
    throw new ImprintError('input-invalid', { field: '--key', problem }, { cause });
  });
  try {
    return parsePublicKey(text);
  } catch (cause) {
    throw new ImprintError('input-invalid', { field: '--key', problem: `${path} is no public key` }, { cause });
  }
}
