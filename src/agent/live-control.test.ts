import { describe, expect, it } from 'vitest';
import { type LivePlan, liveReplySchema } from '../contract/live-control.ts';
import { ImprintError } from '../foundation/errors.ts';
import { type AnsweringOrders, answerLive } from './live-control.ts';

const plan: LivePlan = {
  ...{ name: 'web', image: 'web:3', others: [], lost: [], steps: ['erase /dev/sda'] },
  disk: { path: '/dev/sda', size: 1, content: 'empty' },
};
const event = { taskId: 'x', seq: 1, time: 0, path: ['move'], kind: 'started' as const, message: 'move' };
const orders: AnsweringOrders = {
  status: async () => ({ image: 'web:3', digest: 'sha256:0', needsMedium: true }),
  plan: async () => plan,
  install: async (_request, listener) => listener(event),
  goOn: async (listener) => listener({ ...event, seq: 2 }),
  follow: async () => {
    throw new ImprintError('live-idle', {});
  },
};

async function answers(line: string, given = orders) {
  const lines: string[] = [];
  await answerLive(given, line, (each) => lines.push(each), new AbortController().signal);
  return lines.map((each) => liveReplySchema.parse(JSON.parse(each)));
}

describe('what a live system is asked', () => {
  it('is answered with its state, and with what a move would do', async () => {
    expect(await answers('{"kind":"status"}')).toMatchObject([{ kind: 'status', status: { image: 'web:3' } }]);
    expect(await answers('{"kind":"plan","options":{}}')).toEqual([{ kind: 'plan', plan }]);
  });

  it('is answered with the events of a move, and then that it is done', async () => {
    const order = '{"kind":"install","options":{"layout":"single"},"disk":{"path":"/dev/sda"}}';
    expect(await answers(order)).toEqual([{ kind: 'event', event }, { kind: 'done' }]);
  });

  it('is answered in the same way where a move goes on that broke off', async () => {
    expect(await answers('{"kind":"go-on"}')).toEqual([
      { kind: 'event', event: { ...event, seq: 2 } },
      { kind: 'done' },
    ]);
  });

  it('is refused in words', async () => {
    expect(await answers('{"kind":"follow"}')).toMatchObject([{ kind: 'error', error: { code: 'live-idle' } }]);
    for (const line of ['no JSON', '{"kind":"install"}', '{"kind":"erase"}', '{"kind":"plan","options":{"disk":7}}'])
      expect(await answers(line)).toMatchObject([{ kind: 'error', error: { code: 'input-invalid' } }]);
  });

  it('never breaks off without a word', async () => {
    const broken = { ...orders, plan: async () => Promise.reject(new Error('lsblk is gone')) };
    expect(await answers('{"kind":"plan","options":{}}', broken)).toMatchObject([
      { kind: 'error', error: { code: 'internal' } },
    ]);
  });
});
