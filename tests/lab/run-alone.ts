import { systemProcesses } from '../../src/system/run.ts';

/**
 * Runs a script of the tests in a process with mounts of its own, and an empty `/run/imprint`: a process of somebody else that begins meanwhile must not keep
 * what is mounted there, and two machines that are simulated at the same time do not share the locks of one. Returns what it printed.
 */
export async function runAlone(script: string, args: readonly string[], timeout: number): Promise<string> {
  const prepare = 'mkdir -p /run/imprint && mount -t tmpfs imprint /run/imprint && exec "$@"';
  const node = [process.execPath, '--disable-warning=ExperimentalWarning', script, ...args];
  const { stdout } = await systemProcesses.run(
    'unshare',
    ['--mount', '--propagation', 'private', 'sh', '-c', prepare, 'sh', ...node],
    { timeout },
  );
  return stdout.trim();
}
