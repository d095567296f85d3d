import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { SourceAway } from './source-away.ts';

it('a medium that cannot be read is told of, and looked for until it can', async () => {
  const said: string[] = [];
  const heard: (string | undefined)[] = [];
  let looked = 0;
  const away = new SourceAway({
    clock: { now: () => 0, sleep: async () => void (await sleep(1)) },
    from: 'the medium 7',
    tell: async (line) => void said.push(line),
    findAgain: async () => {
      looked += 1;
      if (looked === 1) throw new Error('it is not there yet');
      if (looked === 3) away.told(undefined);
    },
    signal: new AbortController().signal,
  });
  away.also = (problem) => heard.push(problem);
  away.told('Its disk cannot read it.');
  expect(away.problem).toBe('Its disk cannot read it.');
  await expect.poll(() => away.problem).toBeUndefined();
  await sleep(20);
  expect(looked).toBe(3);
  expect(heard).toEqual(['Its disk cannot read it.', undefined]);
  expect(said[0]).toContain('cannot read the medium 7: Its disk cannot read it.');
  expect(said[1]).toBe('imprint: This system can read the medium 7 again.');
});
