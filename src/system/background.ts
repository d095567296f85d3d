import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';

/** What came of a process that was to go on in the background: what it said when it was ready, or its stderr when it ended instead. */
export type LeftBehind = { ready: unknown } | { failed: string };

/**
 * Starts this program again with `words` behind its own command line, as a process that outlives this one: without a terminal, and with
 * nobody who reads what it says. It says that it is ready by `sayReady`.
 */
export async function leaveBehind(words: readonly string[]): Promise<LeftBehind> {
  const all = [...process.execArgv, ...process.argv.slice(1), ...words];
  const child = spawn(process.execPath, all, { detached: true, stdio: ['ignore', 'ignore', 'pipe', 'ipc'] });
  const said = child.stderr === null ? Promise.resolve('') : text(child.stderr);
  said.catch(() => {});
  const ready = once(child, 'message').then(([message]) => ({ ready: message as unknown }));
  const first = await Promise.race([ready, once(child, 'exit').then(() => undefined)]);
  if (first === undefined) return { failed: await said };
  child.stderr?.destroy();
  child.unref();
  return first;
}

/** Whether this process was started by `leaveBehind`. */
export function isLeftBehind(): boolean {
  return process.send !== undefined;
}

/** Tells the process that started this one, and lets it go. */
export function sayReady(message: object): void {
  process.send?.(message);
  process.disconnect?.();
}
