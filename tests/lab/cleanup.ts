import { execFileSync } from 'node:child_process';

type Cleanup = () => void;

/**
 * What must be undone even when the process is interrupted: synchronous, so that it also works in an exit handler.
 * The one piece of state that a laboratory shares, as signals and exits are the process's, not an object's.
 */
const pending = new Set<Cleanup>();
let listening = false;

/** Registers `undo` for the end of the process, by whatever cause; the returned function takes it back. */
export function atExit(undo: Cleanup): () => void {
  if (!listening) {
    listening = true;
    process.on('exit', undoAll);
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      process.once(signal, () => {
        undoAll();
        process.exit(signal === 'SIGINT' ? 130 : 143);
      });
    }
  }
  pending.add(undo);
  return () => pending.delete(undo);
}

function undoAll(): void {
  for (const undo of [...pending].reverse()) {
    pending.delete(undo);
    try {
      undo();
    } catch (error) {
      console.error('while cleaning up:', error);
    }
  }
}

/** Runs a tool now and waits for it; true where it succeeded. */
export function runSync(tool: string, ...args: string[]): { ok: boolean; stdout: string } {
  try {
    const stdout = execFileSync(tool, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'], timeout: 20_000 });
    return { ok: true, stdout };
  } catch {
    return { ok: false, stdout: '' };
  }
}
