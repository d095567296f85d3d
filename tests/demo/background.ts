import { spawn } from 'node:child_process';
import { mkdtemp, open, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const marker = 'IMPRINT_DEMO_BACKGROUND';

/** Where people read what is told. */
export interface Reader {
  /** It is a terminal, and this process writes to it. */
  readonly live: boolean;
  /** Undefined where nobody knows. */
  readonly columns: number | undefined;
  readonly colour: boolean;
}

/** True in the process that is to go on after the terminal has its prompt back. */
export function inBackground(): boolean {
  return process.env[marker] !== undefined;
}

/** Who reads what this process tells, also where that goes through the process in front. */
export function findReader(): Reader {
  const { [marker]: front } = process.env;
  return front === undefined ? ownTerminal() : { ...(JSON.parse(front) as Reader), live: false };
}

function ownTerminal(): Reader {
  const { isTTY = false, columns } = process.stdout;
  return { live: isTTY, columns, colour: isTTY && !process.env.NO_COLOR };
}

/** Tells the process in front that all is up, so that it may end. */
export function releaseFront(): void {
  process.send?.('up');
  process.disconnect?.();
}

/**
 * Runs this program once more with the same arguments in a session of its own, shows what it says, and returns its exit
 * status, or 0 as soon as it says that all is up. It then goes on until it is told to end.
 */
export async function runInBackground(): Promise<number> {
  const log = join(await mkdtemp(join(tmpdir(), 'imprint-demo-')), 'demo.log');
  const output = await open(log, 'a');
  const [program = '', ...args] = process.argv.slice(1);
  const child = spawn(process.execPath, [...process.execArgv, program, ...args], {
    detached: true,
    stdio: ['ignore', output.fd, output.fd, 'ipc'],
    env: { ...process.env, [marker]: JSON.stringify(ownTerminal()) },
  });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill('SIGTERM'));
  let shown = 0;
  const show = async () => {
    const text = await readFile(log);
    process.stdout.write(text.subarray(shown));
    shown = text.length;
  };
  const following = setInterval(() => void show(), 200);
  const status = await new Promise<number>((resolve) => {
    child.on('message', () => resolve(0));
    child.on('exit', (code) => resolve(code ?? 1));
  });
  clearInterval(following);
  await show();
  await output.close();
  child.unref();
  return status;
}
