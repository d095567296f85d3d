import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type ImprintError, toImprintError } from '../../foundation/errors.ts';
import { agentFiles } from '../../machine/agent-files.ts';
import type { HealthSettings } from '../../machine/agent-settings.ts';
import type { Processes } from '../../system/run.ts';

export interface HealthCheck {
  processes: Processes;
  settings: HealthSettings;
  root: string;
  /** Units that had failed in the version before. */
  failedBefore: readonly string[];
  /** Whether the server has answered; absent: there is none. */
  serverReached?: () => Promise<boolean>;
  signal?: AbortSignal;
}

/** What was looked at. `problems` empty: the machine is healthy. */
export interface Health {
  /** systemd is still on its way to its target: too early to judge. */
  starting: boolean;
  passed: string[];
  problems: string[];
}

const toolPatience = 30_000;
const programPatience = 60_000;
const urlPatience = 10_000;

/** Looks once whether the system that runs is healthy (docs/agent.md). Never rejects but for an abort: what cannot be asked is a problem. */
export async function checkHealth(check: HealthCheck): Promise<Health> {
  const health: Health = { starting: false, passed: [], problems: [] };
  const state = await systemState(check);
  health.starting = state === 'starting' || state === 'initializing';
  // A degraded system is one with failed units; which of them count is looked at by name.
  note(
    health,
    'the system has started',
    ['running', 'degraded'].includes(state) ? undefined : `systemd says “${state}”`,
  );
  await checkFailedUnits(check, health);
  for (const unit of check.settings.units) {
    const active = await say(check, ['is-active', unit]);
    note(
      health,
      `${unit} is active`,
      active === 'active' ? undefined : `${unit} is ${active || 'unknown'}, not active`,
    );
  }
  for (const path of await healthPrograms(check.root)) note(health, path, await runProgram(check, path));
  for (const url of check.settings.http) note(health, `${url} answers`, await askUrl(check, url));
  if (check.serverReached !== undefined && check.settings.server) {
    note(health, 'the server was reached', (await check.serverReached()) ? undefined : 'the server was not reached');
  }
  check.signal?.throwIfAborted();
  return health;
}

/** Units that have failed now. Never rejects. */
export async function failedUnits(processes: Processes, signal?: AbortSignal): Promise<string[]> {
  const args = ['list-units', '--state=failed', '--plain', '--no-legend', '--full', '--no-pager'];
  const result = await processes
    .run('systemctl', args, { timeout: toolPatience, ...(signal && { signal }) })
    .catch(() => undefined);
  const lines = result?.stdout.split('\n') ?? [];
  return lines.map((line) => line.trim().split(/\s+/)[0] ?? '').filter((unit) => unit !== '');
}

async function checkFailedUnits(check: HealthCheck, health: Health): Promise<void> {
  const { settings, failedBefore, processes, signal } = check;
  if (settings.failedUnits === 'none') return;
  const failed = await failedUnits(processes, signal);
  const counting = settings.failedUnits === 'any' ? failed : failed.filter((unit) => !failedBefore.includes(unit));
  const what = settings.failedUnits === 'any' ? 'no unit failed' : 'no unit failed that did not before';
  note(health, what, counting.length === 0 ? undefined : `failed: ${counting.join(', ')}`);
}

async function systemState(check: HealthCheck): Promise<string> {
  return (await say(check, ['is-system-running'])) || 'nothing';
}

async function say({ processes, signal }: HealthCheck, args: string[]): Promise<string> {
  const result = await processes
    .run('systemctl', args, {
      timeout: toolPatience,
      accept: Array.from({ length: 256 }, (_, status) => status),
      ...(signal && { signal }),
    })
    .catch((thrown) => ({ stdout: toImprintError(thrown).message }));
  return result.stdout.trim();
}

/** Programs of `health.d` in the order of their names: whatever is executable, but for copies that editors and packagers leave. */
async function healthPrograms(root: string): Promise<string[]> {
  const directory = join(root, agentFiles.health);
  const names = (await readdir(directory).catch((): string[] => [])).filter((name) => /^[\w-]+(\.sh)?$/.test(name));
  const programs: string[] = [];
  for (const name of names.sort()) {
    const status = await stat(join(directory, name)).catch(() => undefined);
    if (status?.isFile() && (status.mode & 0o111) !== 0) programs.push(join(directory, name));
  }
  return programs;
}

async function runProgram({ processes, signal }: HealthCheck, path: string): Promise<string | undefined> {
  try {
    await processes.run(path, [], { timeout: programPatience, ...(signal && { signal }) });
    return undefined;
  } catch (thrown) {
    const { code, message, details }: ImprintError = toImprintError(thrown);
    return code === 'process-failed' ? `${path}: ${details.status}: ${details.stderr}` : message;
  }
}

async function askUrl({ signal }: HealthCheck, url: string): Promise<string | undefined> {
  const limits = [AbortSignal.timeout(urlPatience), ...(signal === undefined ? [] : [signal])];
  try {
    const response = await fetch(url, { redirect: 'manual', signal: AbortSignal.any(limits) });
    await response.body?.cancel();
    return response.status < 400 ? undefined : `${url} answers ${response.status}`;
  } catch (thrown) {
    const { name, message, cause } = thrown as Error;
    return `${url}: ${name === 'TimeoutError' ? 'no answer in time' : cause instanceof Error ? cause.message : message}`;
  }
}

function note(health: Health, what: string, problem: string | undefined): void {
  if (problem === undefined) health.passed.push(what);
  else health.problems.push(problem);
}
