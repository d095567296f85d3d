import { access, realpath } from 'node:fs/promises';
import type { Processes } from './run.ts';

export interface RaidWish {
  /** `/dev/md/NAME`. */
  device: string;
  name: string;
  level: number;
  metadata: string;
  /** As mdadm has it. */
  uuid: string;
  members: readonly string[];
  /** Places that stay empty. */
  missing: number;
  spares: readonly string[];
  /** Bytes. */
  chunk?: number;
}

const patience = 120_000;
/** The imager's udev has no rules for arrays: mdadm makes their names itself. */
const env = { MDADM_NO_UDEV: '1' };

/** Makes an array, whatever its members held, and starts it. Errors: `process-failed`, `tool-missing`. */
export async function makeRaid(processes: Processes, wish: RaidWish, signal?: AbortSignal): Promise<void> {
  const { device, name, level, metadata, uuid, members, missing, spares, chunk } = wish;
  const options = { timeout: patience, env, ...(signal && { signal }) };
  const personality = level > 1 && level < 10 ? 'raid456' : `raid${level}`;
  // Which may be built in.
  await processes.run('modprobe', ['--all', '--quiet', 'md_mod', personality], { ...options, accept: [0, 1] });
  // One that has none is no failure.
  await processes.run('mdadm', ['--zero-superblock', '--force', ...members, ...spares], {
    ...options,
    accept: [0, 1, 2],
  });
  await processes.run(
    'mdadm',
    [
      ...['--create', device, '--run', '--force', `--level=${level}`, `--metadata=${metadata}`],
      // It is this machine's, whatever that is called by then.
      ...['--homehost=any', `--name=${name}`, `--uuid=${uuid}`],
      ...(level === 0 ? [] : ['--bitmap=internal']),
      ...(chunk === undefined ? [] : [`--chunk=${Math.max(4, Math.round(chunk / 1024))}`]),
      `--raid-devices=${members.length + missing}`,
      ...(spares.length > 0 ? [`--spare-devices=${spares.length}`] : []),
      ...members,
      ...Array.from({ length: missing }, () => 'missing'),
      ...spares,
    ],
    options,
  );
  await processes.run('wipefs', ['--all', '--force', device], options);
}

/** Stops an array; one that is not there is fine. Errors: `process-failed`. */
export async function stopRaid(processes: Processes, device: string): Promise<void> {
  const is = await access(device).then(
    () => true,
    () => false,
  );
  if (!is) return;
  await processes.run('mdadm', ['--stop', await realpath(device)], { timeout: patience, env });
}
