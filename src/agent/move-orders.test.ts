import { describe, expect, it } from 'vitest';
import type { LiveReply } from '../contract/live-control.ts';
import { ImprintError } from '../foundation/errors.ts';
import type { TaskEvent } from '../foundation/task.ts';
import { answerLive } from './live-control.ts';
import { MoveOrders } from './move-orders.ts';
import { WatchedMove } from './watched-move.ts';

const event = (seq: number, message: string): TaskEvent => ({
  ...{ taskId: 'o', seq, time: 0, path: ['move'], kind: 'log', message },
});
const failed = {
  kind: 'failed' as const,
  error: new ImprintError('io-failed', { operation: 'write', path: '/dev/sda2', problem: 'EIO' }),
};

/** A move that an earlier start began; `again` where it can be tried again from here. */
function resumed(again?: (watched: WatchedMove) => void) {
  const watched = new WatchedMove('o', () => '/dev/sda2');
  const orders = new MoveOrders({
    ...{ image: 'web:3', digest: 'sha256:0', watched, needsSource: () => true, problem: () => undefined },
    ...(again && { again: () => again(watched) }),
  });
  const ask = async (kind: string): Promise<LiveReply[]> => {
    const replies: LiveReply[] = [];
    const more = kind === 'install' ? { options: {}, disk: { path: '/dev/sdb' } } : { options: {} };
    const line = JSON.stringify({ kind, ...more });
    await answerLive(orders, line, (text) => replies.push(JSON.parse(text)), new AbortController().signal);
    return replies;
  };
  return { watched, ask };
}

describe('a system that goes on with a move after a restart', () => {
  it('says so, shows it from its first word, and refuses another order', async () => {
    const { watched, ask } = resumed();
    watched.push(event(1, 'one'));
    expect(await ask('status')).toMatchObject([
      { status: { image: 'web:3', needsMedium: true, move: { disk: '/dev/sda2', state: 'running' } } },
    ]);
    for (const kind of ['plan', 'install'])
      expect(await ask(kind)).toMatchObject([{ kind: 'error', error: { code: 'live-busy' } }]);
    const following = ask('follow');
    watched.push(event(2, 'two'));
    watched.end({ kind: 'installed' });
    expect(await following).toMatchObject([
      { event: { message: 'one' } },
      { event: { message: 'two' } },
      { kind: 'done' },
    ]);
    expect(await ask('go-on')).toMatchObject([{ error: { code: 'live-busy' } }]);
  });

  it('has it go on where it broke off, and shows that alone', async () => {
    const { watched, ask } = resumed((each) => {
      each.push(event(1, 'once more'));
      each.end({ kind: 'installed' });
    });
    watched.push(event(1, 'one'));
    watched.end(failed);
    expect(await ask('follow')).toMatchObject([{ event: { message: 'one' } }, { error: { code: 'live-broken-off' } }]);
    expect(await ask('status')).toMatchObject([{ status: { move: { state: 'failed', goesOn: true } } }]);
    expect(await ask('go-on')).toMatchObject([{ event: { message: 'once more' } }, { kind: 'done' }]);
    expect(await ask('status')).toMatchObject([{ status: { move: { state: 'finished' } } }]);
  });

  it('leaves that to who ordered it, where that is a server', async () => {
    const { watched, ask } = resumed();
    watched.end(failed);
    expect((await ask('status'))[0]).not.toHaveProperty('status.move.goesOn');
    expect(await ask('go-on')).toMatchObject([{ error: { code: 'live-busy' } }]);
  });
});
