import type { Processes } from './run.ts';

/** Has systemd run this very program with other arguments at a moment (milliseconds since 1970). Returns the unit's name. Errors: `process-failed`, `tool-missing`. */
export async function scheduleCommand(processes: Processes, time: number, args: readonly string[]): Promise<string> {
  const unit = `imprint-update-${time.toString(36)}`;
  const date = new Date(time).toISOString().replace('T', ' ').slice(0, 19);
  const program = [process.execPath, ...process.execArgv, process.argv[1] ?? ''];
  await processes.run(
    'systemd-run',
    [`--unit=${unit}`, `--on-calendar=${date} UTC`, '--timer-property=AccuracySec=1s', ...program, ...args],
    { timeout: 60_000 },
  );
  return unit;
}
