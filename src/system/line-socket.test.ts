import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { askLines, LineSocket } from './line-socket.ts';

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'imprint-lines-'));
});
afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

const never = new AbortController().signal;

describe('a socket for lines', () => {
  it('answers a line by lines, for several at once, and for its user alone', async () => {
    const path = join(directory, 'control');
    await using _socket = await LineSocket.listen(path, async (line, reply) => {
      for (let count = 0; count < 3; count += 1) reply(`${line} ${count}`);
    });
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    const answers = await Promise.all(['a', 'b'].map((line) => Array.fromAsync(askLines(path, line, never))));
    expect(answers).toEqual([
      ['a 0', 'a 1', 'a 2'],
      ['b 0', 'b 1', 'b 2'],
    ]);
  });

  it('tells who answers when the asker is gone', async () => {
    const path = join(directory, 'control');
    const left = Promise.withResolvers<void>();
    await using _socket = await LineSocket.listen(path, async (_line, reply, gone) => {
      reply('first');
      gone.addEventListener('abort', () => left.resolve());
      await left.promise;
    });
    for await (const line of askLines(path, 'x', never)) {
      expect(line).toBe('first');
      break;
    }
    await left.promise;
  });

  it('rejects where nobody listens', async () => {
    await expect(Array.fromAsync(askLines(join(directory, 'none'), 'x', never))).rejects.toMatchObject({
      code: 'ENOENT',
    });
  });
});
