import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';

/** Units of the times in /proc/PID/stat: USER_HZ, which Linux shows as 100 whatever the kernel counts in. */
const ticksPerSecond = 100;

/** A server that runs beside what is measured, and what it has used itself. */
export class Background implements AsyncDisposable {
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  /** Starts a program. */
  static spawn(command: string, args: readonly string[]): Background {
    return new Background(spawn(command, args, { stdio: ['ignore', 'ignore', 'inherit'] }));
  }

  /** Starts a program and waits until it answers at a TCP port of this machine. */
  static async start(command: string, args: readonly string[], port: number): Promise<Background> {
    const server = Background.spawn(command, args);
    for (let tries = 0; ; tries += 1) {
      if (await answers(port)) return server;
      if (tries === 300 || server.#child.exitCode !== null)
        throw new Error(`${command} does not answer at port ${port}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  /** Seconds of user and system time of it and of its children that have ended. */
  cpu(): number {
    const text = readFileSync(`/proc/${this.#child.pid}/stat`, 'latin1');
    const fields = text
      .slice(text.lastIndexOf(')') + 2)
      .split(' ')
      .map(Number);
    return [11, 12, 13, 14].reduce((sum, index) => sum + (fields[index] ?? 0), 0) / ticksPerSecond;
  }

  /** The largest resident size that it has had, in MiB. */
  peakMemory(): number {
    return this.#memory('VmHWM');
  }

  /** Its resident size now, in MiB. */
  memory(): number {
    return this.#memory('VmRSS');
  }

  #memory(field: string): number {
    const text = readFileSync(`/proc/${this.#child.pid}/status`, 'latin1');
    return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(text)?.[1]) / 1024;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null) return;
    const ended = once(this.#child, 'exit');
    this.#child.kill();
    await ended;
  }
}

async function answers(port: number): Promise<boolean> {
  const { connect } = await import('node:net');
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
