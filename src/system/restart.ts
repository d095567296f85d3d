import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { Clock } from '../foundation/clock.ts';
import { systemPower } from './power.ts';
import type { Processes } from './run.ts';

/** What can be done to restart this machine. */
export interface RestartMeans {
  hasKexec: boolean;
  lockedDown: boolean;
  /** Version of systemd; 0 where there is none. */
  systemd: number;
  /** `uname -r`. */
  kernel: string;
}

/** A kernel with what it is started with. */
export interface LoadableKernel {
  vmlinuz: string;
  /** One after the other. */
  initrds: readonly string[];
  commandLine: string;
}

const patience = 60_000;
/** Milliseconds that a machine may take to stop its services before it is restarted as it is. */
const stopPatience = 180_000;
const joinedInitrd = '/run/imprint/kexec-initrd';

/** Looks what this machine has. Never rejects. */
export async function restartMeans(processes: Processes): Promise<RestartMeans> {
  const text = async (tool: string, args: string[]) =>
    processes.run(tool, args, { timeout: patience }).then(
      ({ stdout }) => stdout,
      () => undefined,
    );
  const lockdown = await readFile('/sys/kernel/security/lockdown', 'utf8').catch(() => '[none]');
  return {
    hasKexec: (await text('kexec', ['--version'])) !== undefined,
    lockedDown: !lockdown.includes('[none]'),
    systemd: Number(/^systemd (\d+)/.exec((await text('systemctl', ['--version'])) ?? '')?.[1] ?? 0),
    kernel: ((await text('uname', ['-r'])) ?? '').trim(),
  };
}

/**
 * Restarts this machine in full: asks systemd, and where that leads nowhere in three minutes, the kernel. Never rejects. It comes back
 * only where `signal` is aborted: systemd has begun to stop the services, this one among them, and waits for nobody but those that linger.
 */
export async function restartFully(processes: Processes, clock: Clock, signal?: AbortSignal): Promise<void> {
  const asked = await processes.run('systemctl', ['--no-block', 'reboot'], { timeout: patience }).then(
    () => true,
    () => false,
  );
  if (asked) await clock.sleep(stopPatience, signal).catch(() => {});
  if (signal?.aborted) return;
  await systemPower(processes, clock).reboot();
}

/** Loads a kernel to be started in place of the one that runs. Errors: `process-failed`, `tool-missing`, `io-failed`. */
export async function loadKernel(processes: Processes, kernel: LoadableKernel): Promise<void> {
  await mkdir(dirname(joinedInitrd), { recursive: true });
  const joined = createWriteStream(joinedInitrd, { mode: 0o600 });
  for (const initrd of kernel.initrds) await pipeline(createReadStream(initrd), joined, { end: false });
  await new Promise<void>((resolve, reject) =>
    joined.end((error?: Error | null) => (error ? reject(error) : resolve())),
  );
  const args = ['-l', kernel.vmlinuz, `--initrd=${joinedInitrd}`, `--command-line=${kernel.commandLine}`];
  await processes.run('kexec', args, { timeout: patience });
}

/** Starts the loaded kernel once the services have stopped. Errors: `process-failed`. */
export async function startLoadedKernel(processes: Processes): Promise<void> {
  await processes.run('systemctl', ['--no-block', 'kexec'], { timeout: patience });
}

/** Restarts all but the kernel; `words` are for who asks, in what runs then, what was booted. Errors: `process-failed`, `io-failed`. */
export async function restartSoftly(processes: Processes, words: { path: string; text: string }): Promise<void> {
  await mkdir(dirname(words.path), { recursive: true });
  await writeFile(words.path, words.text, { mode: 0o600 });
  await processes.run('systemctl', ['--no-block', 'soft-reboot'], { timeout: patience });
}
