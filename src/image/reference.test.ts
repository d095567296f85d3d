import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ImprintError } from '../foundation/errors.ts';
import { formatReference, parseReference } from './reference.ts';

const digest = `sha256:${'ab'.repeat(32)}`;

test.each([
  ['web', { kind: 'newest', image: 'web' }, 'web'],
  ['web:latest', { kind: 'newest', image: 'web' }, 'web'],
  ['web:3', { kind: 'number', image: 'web', number: 3 }, 'web:3'],
  ['web:v3', { kind: 'number', image: 'web', number: 3 }, 'web:3'],
  ['web:stable', { kind: 'tag', image: 'web', tag: 'stable' }, 'web:stable'],
  ['web:v3.1', { kind: 'tag', image: 'web', tag: 'v3.1' }, 'web:v3.1'],
  [`web@${digest}`, { kind: 'digest', image: 'web', digest }, `web@${digest}`],
  [digest, { kind: 'digest', digest }, digest],
])('%s', (text, reference, shortest) => {
  expect(parseReference(text)).toEqual(reference);
  expect(formatReference(parseReference(text))).toBe(shortest);
});

test.each([
  '',
  ':',
  'web:',
  'Web',
  '-web',
  'web-',
  'a/b',
  '../a',
  'web:0',
  'web:03',
  'web:v0',
  'web:a b',
  'web@',
  'web@sha256:ab',
  `@${digest}`,
  `web:3@${digest}`,
])('“%s” is refused', (text) => {
  expect(() => parseReference(text)).toThrow(expect.objectContaining({ code: 'input-invalid' }));
});

test('any text is a reference that comes back, or input-invalid', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[a-z0-9.:@v-]{0,12}$/)), (text) => {
      try {
        const reference = parseReference(text);
        expect(parseReference(formatReference(reference))).toEqual(reference);
      } catch (error) {
        expect(error).toBeInstanceOf(ImprintError);
      }
    }),
    { numRuns: 2000 },
  );
});
