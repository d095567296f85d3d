import type { Processes } from './run.ts';

/**
 * Everything of a file system in its place, so that GRUB, which replays no journal, sees it: frozen for a moment and thawed. What thaws it does not
 * hang on this process, nor on anybody who would end it politely, nor on a program that would have to be read first: the running root may lie on it.
 */
const script = `
trap '' TERM INT HUP
sync -f "$1"
{ sleep 5; echo j >/proc/sysrq-trigger || fsfreeze --unfreeze "$1"; } </dev/null >/dev/null 2>&1 &
fsfreeze --freeze "$1" || { kill -9 $! 2>/dev/null; exit 1; }
fsfreeze --unfreeze "$1"
status=$?
kill -9 $! 2>/dev/null
exit $status
`;

/** Errors: `process-failed` where it cannot be frozen (somebody else has, or it is no file system that can). */
export async function checkpointFileSystem(processes: Processes, directory: string): Promise<void> {
  await processes.run('sh', ['-c', script, 'checkpoint', directory], { timeout: 120_000 });
}
