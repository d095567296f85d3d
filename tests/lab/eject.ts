import { connect } from 'node:net';
import { createInterface } from 'node:readline';

type Command = readonly [string, Record<string, unknown>];

/** Opens the drive of a machine that was started with `monitor`, whatever its system says to that. */
export async function ejectMedium(monitor: string): Promise<void> {
  await command(monitor, ['eject', { device: 'medium', force: true }]);
}

/** Puts a medium into the drive, and closes it. */
export async function insertMedium(monitor: string, filename: string): Promise<void> {
  await command(monitor, ['blockdev-change-medium', { device: 'medium', filename, format: 'raw' }]);
}

async function command(monitor: string, wanted: Command): Promise<void> {
  const commands: Command[] = [['qmp_capabilities', {}], wanted];
  const socket = connect(monitor);
  try {
    for (const [id, [execute, words]] of commands.entries())
      socket.write(`${JSON.stringify({ execute, arguments: words, id })}\n`);
    for await (const line of createInterface({ input: socket })) {
      const message = JSON.parse(line) as { id?: number; error?: { desc: string } };
      if (message.error !== undefined) throw new Error(`${wanted[0]}: ${message.error.desc}`);
      if (message.id === commands.length - 1) return;
    }
    throw new Error('the machine ended');
  } finally {
    socket.destroy();
  }
}
