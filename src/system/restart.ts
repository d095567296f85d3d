import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { Clock } from '../foundation/clock.ts';
import { systemPower } from './power.ts';
import type { Processes } from './run.ts';

/** What can be done to restart this machine. */
export interface RestartMeans {
  hasKexec: boolean;
  /** Why the kernel takes no other one by kexec, in words; absent: it does. */
  kexecRefused?: string;
  /** The root that runs lies in an image file. */
  rootInFile: boolean;
  /** Version of the systemd that runs, which may be older than the one on the disk; 0 where there is none. */
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
export const stopPatience = 180_000;
const joinedInitrd = '/run/imprint/kexec-initrd';
const kexecDisabled = '/proc/sys/kernel/kexec_load_disabled';

/** Looks what this machine has. Never rejects. */
export async function restartMeans(processes: Processes): Promise<RestartMeans> {
  const text = async (tool: string, args: string[]) =>
    processes.run(tool, args, { timeout: patience }).then(
      ({ stdout }) => stdout,
      () => undefined,
    );
  const file = (path: string) => readFile(path, 'utf8').catch(() => '');
  const kexecRefused = refusal(await file('/sys/kernel/security/lockdown'), await file(kexecDisabled));
  const systemd = await text('systemctl', ['show', '--property=Version', '--value']);
  return {
    hasKexec: (await text('kexec', ['--version'])) !== undefined,
    ...(kexecRefused === undefined ? {} : { kexecRefused }),
    rootInFile: (await file('/proc/cmdline')).includes('imprint.image='),
    systemd: Number(/^\d+/.exec(systemd ?? '')?.[0] ?? 0),
    kernel: ((await text('uname', ['-r'])) ?? '').trim(),
  };
}

function refusal(lockdown: string, disabled: string): string | undefined {
  if (lockdown !== '' && !lockdown.includes('[none]')) return 'the kernel is locked down (Secure Boot)';
  return disabled.trim() === '1' ? 'the kernel was told to load no other one (kernel.kexec_load_disabled)' : undefined;
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

/** What has to be there for what runs after a soft reboot. */
export interface SoftRestart {
  /** File of the words that GRUB would have said, and what it is to hold. */
  words: { path: string; text: string };
  /** Seconds after which a trial that is not proven by then ends; absent: this is no trial. */
  trialSeconds?: number;
}

/**
 * Restarts all but the kernel. A trial is watched as one that GRUB started: by a timer of the system that comes up, and by a process that lives on and
 * needs nothing of it. Errors: `process-failed`, `io-failed`.
 */
export async function restartSoftly(processes: Processes, { words, trialSeconds }: SoftRestart): Promise<void> {
  await mkdir(dirname(words.path), { recursive: true });
  await writeFile(words.path, words.text, { mode: 0o600 });
  if (trialSeconds !== undefined) await watchSoftTrial(processes, trialSeconds);
  await processes.run('systemctl', ['--no-block', 'soft-reboot'], { timeout: patience });
}

const runtimeUnits = '/run/systemd/system';
const committedMark = '/run/imprint/committed';
const trialTimer = 'imprint-trial.timer';
const guardUnit = 'imprint-guard.service';
/** As those of the boot addition are called. */
const guardName = '@imprint-guard';

/** The same that the boot addition arms (`boot/addition/trial.sh`), but counted from now on. */
async function watchSoftTrial(processes: Processes, seconds: number): Promise<void> {
  await endGuards();
  await rm(committedMark, { force: true });
  const wants = `${runtimeUnits}/sysinit.target.wants`;
  await mkdir(wants, { recursive: true });
  for (const [name, text] of Object.entries(softTrialUnits(seconds))) await writeFile(`${runtimeUnits}/${name}`, text);
  await rm(`${wants}/${trialTimer}`, { force: true });
  await symlink(`../${trialTimer}`, `${wants}/${trialTimer}`);
  await processes.run('systemctl', ['daemon-reload'], { timeout: patience });
  await processes.run('systemctl', ['restart', guardUnit], { timeout: patience });
}

/** Ends what watches a trial that is over: it would take the mark of the next one for its own. */
async function endGuards(): Promise<void> {
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const commandLine = await readFile(`/proc/${pid}/cmdline`, 'latin1').catch(() => '');
    if (!commandLine.startsWith(`${guardName}\0`)) continue;
    try {
      process.kill(Number(pid), 'SIGKILL');
    } catch {
      // It ended by itself meanwhile.
    }
  }
}

function softTrialUnits(seconds: number): Record<string, string> {
  const early = 'DefaultDependencies=no\nConflicts=shutdown.target\nBefore=shutdown.target\n';
  const reset = 'for key in s u b; do echo $$key >/proc/sysrq-trigger; done';
  const guard = `sleep ${Math.ceil(seconds * 1.2)}; [ -e ${committedMark} ] || { ${reset}; }`;
  return {
    [trialTimer]: `[Unit]\nDescription=End of the trial\n${early}\n[Timer]\nOnActiveSec=${seconds}\nAccuracySec=1s\n`,
    'imprint-trial.service': [
      '[Unit]\nDescription=Give up a trial that was not proven in time\nDefaultDependencies=no\n',
      '[Service]\nType=oneshot\nExecStart=/bin/sh /run/imprint/start/agentless.sh over\nStandardOutput=journal+console\n',
    ].join('\n'),
    [guardUnit]: [
      '[Unit]\nDescription=Reset the machine should the trial never end\nDefaultDependencies=no\n',
      'IgnoreOnIsolate=yes\nSurviveFinalKillSignal=yes\n\n',
      `[Service]\nType=simple\nExecStart=@/bin/sh ${guardName} -c '${guard}'\n`,
    ].join(''),
  };
}
