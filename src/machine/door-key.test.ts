import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { doorToken, opensshKey, parseDoorToken, publicKeyOf } from './door-key.ts';

it('finds the public key of a seed (RFC 8032, test 1)', () => {
  const seed = Buffer.from('9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60', 'hex');
  expect(Buffer.from(publicKeyOf(seed)).toString('hex')).toBe(
    'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
  );
  expect(opensshKey(seed).publicKey).toMatch(/^ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINdamAGCsQq31/);
});

it('gives back from a token what was put in, and takes nothing else for one', () => {
  const keys = { seed: randomBytes(32), host: randomBytes(32) };
  const token = doorToken(keys);
  expect(token).toMatch(/^[\w-]{87}$/);
  expect(parseDoorToken(token)).toEqual(keys);
  expect(parseDoorToken(token.slice(1))).toBeUndefined();
  expect(parseDoorToken(`B${token.slice(1)}`)).toBeUndefined();
  fc.assert(fc.property(fc.string(), (text) => parseDoorToken(text) === undefined));
});
