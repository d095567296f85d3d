import { expect, it } from 'vitest';
import { versionRecord } from '../../tests/version-record.ts';
import { systemClock } from '../foundation/clock.ts';
import { askInstall } from './ask-install.ts';
import { ConsoleScreen } from './console-screen.ts';

const versions = [versionRecord({ image: 'db', number: 1 }), versionRecord({ image: 'web', number: 3 })].map(
  (record) => ({
    ...{ record, recordText: '', tags: [] },
  }),
);

async function asked(answers: string[], of = versions) {
  let said = '';
  const write = (text: string) => {
    said += text;
  };
  const screen = new ConsoleScreen({ write, clock: systemClock });
  const question = { answer: async () => answers.shift() ?? Promise.reject(new Error('nobody answers')) };
  const answer = await askInstall(of, { screen, question, signal: new AbortController().signal });
  return { answer, said };
}

it('asks which image and what name, until the answers are some', async () => {
  const { answer, said } = await asked(['3', 'nothing', '2', 'my machine', 'WEB01']);
  expect(answer).toEqual({ image: 'web:3', hostName: 'web01' });
  expect(said).toContain('  1  db:1');
  expect(said.match(/That is none of them/g)?.length).toBe(2);
  expect(said).toContain('A name has letters, digits, dots and hyphens.');
});

it('takes the image by its name, too', async () => {
  expect((await asked(['web', 'a'])).answer.image).toBe('web:3');
});

it('says so where there is none', async () => {
  await expect(asked([], [])).rejects.toThrow('There is no image “any” in this medium');
});
