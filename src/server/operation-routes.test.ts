import { expect, it } from 'vitest';
import { shortened } from './operation-routes.ts';

it('keeps secrets and whole files out of the log', () => {
  const input = { machines: 'web01', passphrase: 'open sesame', text: 'x'.repeat(30_000) };
  expect(shortened(input)).toEqual({ machines: 'web01', passphrase: '(a secret)', text: '(30000 characters)' });
});
