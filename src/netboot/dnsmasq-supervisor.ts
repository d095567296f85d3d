import { readFile, rename, writeFile } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import type { Clock } from '../foundation/clock.ts';
import { ImprintError, toImprintError } from '../foundation/errors.ts';
import type { Processes, RunningProcess } from '../system/run.ts';

export interface SupervisorOptions {
  processes: Processes;
  clock: Clock;
  /** For error messages. */
  interface: string;
  /** Whether it may change to a user of its own; in a user namespace it cannot, and would not start. */
  changesUser: boolean;
  /** Aborted when the server is to end: a terminal's Ctrl-C ends dnsmasq, too, and that is no accident. */
  signal: AbortSignal;
  configurationFile: string;
  /** Where dnsmasq writes its process id: how one is found that outlived its server. */
  pidFile: string;
  hostsFiles: { dhcp: string; plain: string };
  /** One line that dnsmasq said. */
  said(line: string): void;
  /** It ended without being asked to; it is started again after `pause` milliseconds. */
  died(problem: string, pause: number): void;
}

export interface SupervisorStatus {
  state: 'running' | 'restarting' | 'stopped';
  problem?: string;
  restarts: number;
}

/** dnsmasq as our child: started, watched, told of changes, ended. */
export interface DnsmasqSupervisor {
  /** Errors: `tool-missing`, `netboot-unfit` where it ends at once. */
  start(): Promise<void>;
  /** Writes the hosts files anew; where they changed, dnsmasq reads them again. */
  update(hosts: { dhcp: string; plain: string }): Promise<void>;
  status(): SupervisorStatus;
  stop(): Promise<void>;
}

/** What it takes to believe that it runs, and to forget that it once did not, in milliseconds. */
const settling = 400;
const steady = 60_000;
const longestPause = 30_000;
/** Between the end of dnsmasq and the thought that nobody wanted it. */
const grace = 200;

export function createDnsmasqSupervisor(options: SupervisorOptions): DnsmasqSupervisor {
  const { processes, clock } = options;
  const stopping = new AbortController();
  const ending = AbortSignal.any([stopping.signal, options.signal]);
  let child: RunningProcess | undefined;
  let status: SupervisorStatus = { state: 'stopped', restarts: 0 };
  let watching: Promise<void> | undefined;
  let updates: Promise<void> = Promise.resolve();

  const launch = (): RunningProcess => {
    const foreground = options.changesUser ? '--keep-in-foreground' : '--no-daemon';
    const started = processes.start('dnsmasq', [foreground, `--conf-file=${options.configurationFile}`]);
    started.stdin.end();
    passOn(started.stdout, options.said);
    passOn(started.stderr, options.said);
    child = started;
    return started;
  };

  const watch = async (first: RunningProcess): Promise<void> => {
    let running = first;
    let failures = 0;
    while (!ending.aborted) {
      const since = clock.now();
      status = { state: 'running', restarts: status.restarts };
      const problem = await endOf(running);
      await clock.sleep(grace, ending).catch(() => {});
      if (ending.aborted) break;
      failures = clock.now() - since > steady ? 0 : failures + 1;
      const pause = Math.min(longestPause, 500 * 2 ** failures);
      status = { state: 'restarting', problem, restarts: status.restarts + 1 };
      options.died(problem, pause);
      await clock.sleep(pause, ending).catch(() => {});
      if (ending.aborted) break;
      running = launch();
    }
    status = { state: 'stopped', restarts: status.restarts };
  };

  return {
    start: async () => {
      await processes.run('dnsmasq', ['--test', `--conf-file=${options.configurationFile}`], { timeout: 10_000 });
      const started = launch();
      const early = await Promise.race([endOf(started), clock.sleep(settling).then(() => undefined)]);
      if (early !== undefined) {
        const hint =
          'Look at what else serves DHCP or TFTP on this machine (ss -lunp), and whether this is run as root.';
        throw new ImprintError('netboot-unfit', { interface: options.interface, problem: early, hint });
      }
      watching = watch(started);
    },
    update: (hosts) => {
      // One after another, so that an older list never replaces a newer one.
      const update = updates.then(async () => {
        const changed = [
          await writeIfChanged(options.hostsFiles.dhcp, hosts.dhcp),
          await writeIfChanged(options.hostsFiles.plain, hosts.plain),
        ];
        if (changed.includes(true) && child && status.state === 'running') hangUp(child.pid);
      });
      updates = update.catch(() => {});
      return update;
    },
    status: () => status,
    stop: async () => {
      stopping.abort();
      await child?.stop();
      await watching;
    },
  };
}

/** Resolves when the process has ended, with why. */
async function endOf(running: RunningProcess): Promise<string> {
  try {
    const { status } = await running.ended;
    return `dnsmasq ended with status ${status}`;
  } catch (thrown) {
    return toImprintError(thrown).message;
  }
}

/** SIGHUP: dnsmasq reads its hosts files again. */
function hangUp(pid: number): void {
  // 0 would mean every process of our group.
  if (pid <= 0) return;
  try {
    process.kill(pid, 'SIGHUP');
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== 'ESRCH') throw thrown;
  }
}

/**
 * Ends the dnsmasq of a server that was killed without a chance to do so: known by its pid file and its command line. To be
 * called before anything asks who serves DHCP here.
 */
export async function endOrphan(
  options: Pick<SupervisorOptions, 'pidFile' | 'configurationFile' | 'clock'>,
): Promise<void> {
  const { pidFile, configurationFile, clock } = options;
  const pid = Number((await readFile(pidFile, 'utf8').catch(() => '')).trim());
  if (!Number.isInteger(pid) || pid <= 1) return;
  const isOurs = async () =>
    (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).includes(configurationFile);
  for (let attempt = 0; attempt < 20 && (await isOurs()); attempt += 1) {
    process.kill(pid, attempt < 10 ? 'SIGTERM' : 'SIGKILL');
    await clock.sleep(200);
  }
}

async function writeIfChanged(path: string, text: string): Promise<boolean> {
  const before = await readFile(path, 'utf8').catch(() => undefined);
  if (before === text) return false;
  await writeFile(`${path}.tmp`, text, { mode: 0o644 });
  await rename(`${path}.tmp`, path);
  return true;
}

function passOn(stream: Readable, said: (line: string) => void): void {
  let rest = '';
  stream.on('data', (piece: Uint8Array) => {
    const lines = (rest + Buffer.from(piece).toString('utf8')).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) if (line.trim() !== '') said(line);
  });
}
