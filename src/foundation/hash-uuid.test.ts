import { expect, it } from 'vitest';
import { uuidFromHash } from './hash-uuid.ts';

it('makes a UUID of version 8, variant 1, from any digits', () => {
  expect(uuidFromHash('0123456789abcdef0123456789abcdef0123')).toBe('01234567-89ab-8def-8123-456789abcdef');
  expect(uuidFromHash('f'.repeat(64))).toBe('ffffffff-ffff-8fff-bfff-ffffffffffff');
});
