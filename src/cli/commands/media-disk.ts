import { type DiskMediaOutput, diskMedia } from '../../contract/operations/media.ts';
import { ImprintError } from '../../foundation/errors.ts';
import { putImagerOnDisk } from '../../operations/media/imager-on-disk.ts';
import { findThisMachine } from '../../operations/update/this-machine.ts';
import { systemProcesses } from '../../system/run.ts';
import type { Invocation } from '../command.ts';
import { parseInput } from '../parse-input.ts';
import type { Session } from '../session.ts';
import { oneOf } from '../update-options.ts';

/** `imprint media disk`. */
export async function run(session: Session, invocation: Invocation): Promise<void> {
  const [url, patience, key] = [invocation.text('url'), invocation.text('patience'), invocation.text('key')];
  const restart = oneOf('--reboot', invocation.text('reboot'), ['none', 'full', 'kexec']);
  if (patience !== undefined && !/^\d{1,4}$/.test(patience)) {
    throw new ImprintError('input-invalid', { field: '--patience', problem: `“${patience}” is no number of minutes` });
  }
  const input = parseInput(diskMedia.input, {
    ...(url === undefined ? {} : { server: url }),
    ...(patience === undefined ? {} : { patience: Number(patience) }),
    ...(restart === undefined ? {} : { restart }),
    ...(key === undefined ? {} : { key }),
    cancel: invocation.flag('cancel'),
  });
  if (process.getuid?.() !== 0) throw new ImprintError('not-root', { action: 'Having this machine start the imager' });
  const place = { processes: systemProcesses, clock: session.clock };
  const machine = await findThisMachine(place).catch((error: unknown) => {
    if (error instanceof ImprintError && error.code === 'machine-unmanaged') return undefined;
    throw error;
  });
  if (session.globals.dryRun) {
    session.result({ dryRun: true, ...input }, () => 'would have this machine start the imager once\n');
    return;
  }
  const done = await session.task('put the imager onto the disk', (task) =>
    putImagerOnDisk({ ...place, root: '/', ...(machine && { machine }) }, input, task),
  );
  session.result(done.output, () => describe(done.output, input.patience));
  await done.restart((message) => session.say(message));
}

function describe({ entry, server, cancelled, restart }: DiskMediaOutput, patience: number): string {
  if (entry === undefined)
    return cancelled ? 'the imager does not start any more\n' : 'there was nothing to take back\n';
  const when = restart === 'none' ? 'The next restart' : 'This restart';
  return [
    `${when} starts the imager, once, which asks ${server} what to do.`,
    `Without an order in ${patience} minutes the machine restarts as it is now.`,
    '',
  ].join('\n');
}
