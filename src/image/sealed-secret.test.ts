import { expect, it } from 'vitest';
import { sealSecret, secretReader } from './sealed-secret.ts';

it('is opened by whom it was sealed for, and by nobody else', () => {
  const [reader, other] = [secretReader(), secretReader()];
  const sealed = sealSecret(Buffer.from('open sesame'), reader.publicKey);
  expect(reader.open(sealed).toString()).toBe('open sesame');
  expect(JSON.stringify(sealed)).not.toContain(Buffer.from('open sesame').toString('base64'));
  expect(() => other.open(sealed)).toThrow();
  const bytes = Buffer.from(sealed.sealed, 'base64');
  bytes[0] = (bytes[0] ?? 0) ^ 1;
  expect(() => reader.open({ ...sealed, sealed: bytes.toString('base64') })).toThrow();
});

it('seals twice in two ways, and for no key that is none', () => {
  const { publicKey } = secretReader();
  const secret = Buffer.from('open sesame');
  expect(sealSecret(secret, publicKey)).not.toEqual(sealSecret(secret, publicKey));
  expect(() => sealSecret(secret, 'AAAA')).toThrow();
});
