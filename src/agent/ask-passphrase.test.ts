import { expect, it } from 'vitest';
import { systemClock } from '../foundation/clock.ts';
import { askPassphrase } from './ask-passphrase.ts';
import { ConsoleScreen } from './console-screen.ts';

it('takes what was typed twice the same, and nothing short', async () => {
  const typed = ['short', 'open sesame', 'open sesam', 'open sesame', 'open sesame'];
  let said = '';
  const screen = new ConsoleScreen({
    write: (text) => {
      said += text;
    },
    clock: systemClock,
  });
  const question = { answer: async () => typed.shift() ?? '' };
  expect(await askPassphrase('web01', { screen, question, signal: new AbortController().signal })).toBe('open sesame');
  expect(typed).toEqual([]);
  expect(said).toMatch(/too short.*another one/s);
  expect(said).not.toContain('sesame');
});
