import { connect } from 'node:net';
import { createInterface } from 'node:readline';

/** Opens the drive of a machine that was started with `monitor`, whatever its system says to that. */
export async function ejectMedium(monitor: string): Promise<void> {
  const socket = connect(monitor);
  try {
    for (const [id, [execute, words]] of commands.entries())
      socket.write(`${JSON.stringify({ execute, arguments: words, id })}\n`);
    for await (const line of createInterface({ input: socket })) {
      const message = JSON.parse(line) as { id?: number; error?: { desc: string } };
      if (message.error !== undefined) throw new Error(`the medium cannot be ejected: ${message.error.desc}`);
      if (message.id === commands.length - 1) return;
    }
    throw new Error('the machine ended');
  } finally {
    socket.destroy();
  }
}

const commands = [
  ['qmp_capabilities', {}],
  ['eject', { device: 'medium', force: true }],
] as const;
