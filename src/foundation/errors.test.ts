import { expect, it } from 'vitest';
import { errorCatalogue } from './error-catalogue.ts';
import { ImprintError, toImprintError } from './errors.ts';

it('fills message and hint from the details', () => {
  const error = new ImprintError('image-not-found', { reference: 'web:9', store: '/srv/store' });
  expect(error.message).toBe('There is no image “web:9” in /srv/store.');
  expect(error.exitStatus).toBe(3);
  expect(error.httpStatus).toBe(404);
});

it('survives the wire', () => {
  const error = new ImprintError('disk-none', { machine: 'web01', reasons: '/dev/sda is mounted' });
  const again = ImprintError.fromValue(JSON.parse(JSON.stringify(error.toValue())));
  expect(again.toValue()).toEqual(error.toValue());
  expect(ImprintError.fromValue({ code: 'from-the-future', message: 'x' }).code).toBe('internal');
});

it.each([
  [Object.assign(new Error('x'), { code: 'ENOSPC', syscall: 'write' }), 'disk-full'],
  [Object.assign(new Error('x'), { code: 'EROFS', syscall: 'open', path: '/a' }), 'read-only'],
  [Object.assign(new Error('x'), { code: 'EIO', syscall: 'read', path: '/a' }), 'io-failed'],
  [new DOMException('x', 'AbortError'), 'interrupted'],
  [new Error('x'), 'internal'],
  ['x', 'internal'],
])('makes %s an ImprintError', (thrown, code) => {
  expect(toImprintError(thrown).code).toBe(code);
});

it('ends every message and hint as a sentence does', () => {
  for (const [code, { message, hint }] of Object.entries(errorCatalogue)) {
    expect(message, code).toMatch(/[.}]$/);
    expect(hint, code).not.toBe('');
  }
});
