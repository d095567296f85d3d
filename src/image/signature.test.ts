import { spawnSync } from 'node:child_process';
import { createPrivateKey, generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FormatError } from './format-error.ts';
import {
  addSignatures,
  createSigner,
  formatPublicKey,
  joinSigners,
  parsePublicKey,
  parseSignature,
  parseSignatures,
  signersOf,
  verifySignature,
} from './signature.ts';

/** The private key of RFC 8032, test 1: known to everyone, so that signatures in this file can be compared. */
const signer = createSigner(
  createPrivateKey({
    key: Buffer.from(
      '302e020100300506032b6570042204209d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60',
      'hex',
    ),
    format: 'der',
    type: 'pkcs8',
  }),
);
const data = Buffer.from('{"format":1}');
const text = signer.sign(data, 'imprint web:1');

test('a signature is good for its data, its comment and its key, and for nothing else', () => {
  const signature = parseSignature(text);
  expect(signature.trustedComment).toBe('imprint web:1');
  expect(verifySignature(signature, data, [signer.publicKey])).toBe(signer.publicKey);
  expect(verifySignature(signature, Buffer.from('{"format":2}'), [signer.publicKey])).toBeUndefined();
  expect(verifySignature({ ...signature, trustedComment: 'imprint web:2' }, data, [signer.publicKey])).toBeUndefined();
  const stranger = createSigner(generateKeyPairSync('ed25519').privateKey);
  expect(verifySignature(signature, data, [stranger.publicKey])).toBeUndefined();
  // One who gives his key the id of ours.
  expect(verifySignature(signature, data, [{ ...stranger.publicKey, id: signer.publicKey.id }])).toBeUndefined();
  expect(verifySignature(signature, data, [stranger.publicKey, signer.publicKey])).toBe(signer.publicKey);
});

test('keys and signatures are written as the specification says', () => {
  expect(formatPublicKey(signer.publicKey)).toMatchInlineSnapshot(`
    "untrusted comment: minisign public key 61A254A1DF31FE21
    RWQh/jHfoVSiYddamAGCsQq31Uv+08lkBzoO4XLz2qYjJa8CGmj3B1Ea
    "
  `);
  expect(text).toMatchInlineSnapshot(`
    "untrusted comment: signature of Imprint, key 61A254A1DF31FE21
    RUQh/jHfoVSiYSiLM1uXZ6gMaAtbmE57G0zYBtGHUK936dllXul8JqiwEmh0HfOQOyb2Gl30bBhGhE7sGvxl/LjE7qk4CG14LAU=
    trusted comment: imprint web:1
    JIckazqZ9Au3qfJmUtubR3Aw3iny1XZulV/vJUFk+zQXbTZnLtSdVOJs3oMTA4C8RZDZ7qWmY4fTPHTVse17Bg==
    "
  `);
  const again = parsePublicKey(formatPublicKey(signer.publicKey));
  expect(again.id).toBe(signer.publicKey.id);
  expect(again.key.equals(signer.publicKey.key)).toBe(true);
  expect(parsePublicKey(formatPublicKey(signer.publicKey).split('\n')[1] ?? '').id).toBe(again.id);
});

test('what is not a signature or a key is a FormatError', () => {
  fc.assert(
    fc.property(fc.string(), (junk) => {
      expect(() => parseSignature(junk)).toThrow(FormatError);
      expect(() => parsePublicKey(junk)).toThrow(FormatError);
    }),
  );
  fc.assert(
    fc.property(fc.nat(text.length - 1), fc.nat(7), (at, bit) => {
      const bytes = Buffer.from(text);
      bytes[at] = (bytes[at] as number) ^ (1 << bit);
      const end = text.indexOf('\n');
      try {
        const signature = parseSignature(bytes.toString('latin1'));
        // Only the untrusted comment is covered by nothing.
        expect(verifySignature(signature, data, [signer.publicKey]) === undefined || at < end).toBe(true);
      } catch (error) {
        expect(error).toBeInstanceOf(FormatError);
      }
    }),
    { numRuns: 500 },
  );
});

test('a file may hold several signatures, and a key counts once', () => {
  const second = createSigner(generateKeyPairSync('ed25519').privateKey);
  const stranger = createSigner(generateKeyPairSync('ed25519').privateKey);
  const keys = [signer.publicKey, second.publicKey];
  const both = addSignatures(text, second.sign(data, 'imprint web:1'));
  expect(both).toBe(second.sign(data, 'imprint web:1') + text);
  expect(signersOf(both, data, keys)).toHaveLength(2);
  expect(signersOf(both, Buffer.from('other'), keys)).toEqual([]);
  expect(signersOf(text + text, data, keys)).toEqual([signer.publicKey]);
  expect(signersOf(stranger.sign(data, '') + text, data, keys)).toEqual([signer.publicKey]);
  // One who lists his key under two ids is one.
  const again = { ...signer.publicKey, id: '0123456789ABCDEF' };
  const other = Buffer.from(text.split('\n')[1] ?? '', 'base64');
  other.set(Buffer.from(again.id, 'hex').reverse(), 2);
  const disguised = text.replace(text.split('\n')[1] ?? '', other.toString('base64'));
  expect(signersOf(text + disguised, data, [signer.publicKey, again])).toHaveLength(1);
  // Signing again replaces what was signed.
  expect(addSignatures(both, signer.sign(data, 'later'))).toBe(
    signer.sign(data, 'later') + second.sign(data, 'imprint web:1'),
  );
  expect(joinSigners([signer, second]).sign(data, 'x')).toBe(signer.sign(data, 'x') + second.sign(data, 'x'));
  for (const bad of ['', '\n', text.slice(0, -20), `${text}\n`, `${text}x\n`, text.repeat(129)])
    expect(() => parseSignatures(bad), bad.slice(-30)).toThrow(FormatError);
});

test('of several signatures, junk is a FormatError, and no bit but of the untrusted comments is free', () => {
  const second = createSigner(generateKeyPairSync('ed25519').privateKey);
  const both = text + second.sign(data, 'imprint web:1');
  const keys = [signer.publicKey, second.publicKey];
  const lines = both.split('\n');
  const isFree = (at: number) => both.slice(0, at).split('\n').length % 4 === 1;
  expect(lines).toHaveLength(9);
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.constantFrom(...lines), fc.string()), { maxLength: 12 }), (parts) => {
      try {
        // Every block may come from somewhere else: what counts is good by itself.
        expect(signersOf(parts.join('\n'), data, keys).length).toBeLessThanOrEqual(2);
      } catch (error) {
        expect(error).toBeInstanceOf(FormatError);
      }
    }),
  );
  fc.assert(
    fc.property(fc.nat(both.length - 1), fc.nat(7), (at, bit) => {
      const bytes = Buffer.from(both);
      bytes[at] = (bytes[at] as number) ^ (1 << bit);
      try {
        expect(signersOf(bytes.toString('latin1'), data, keys).length === 2).toBe(isFree(at));
      } catch (error) {
        expect(error).toBeInstanceOf(FormatError);
      }
    }),
    { numRuns: 300 },
  );
});

test('a comment of two lines cannot be signed', () => {
  expect(() => signer.sign(data, 'one\ntwo')).toThrow(RangeError);
});

test.skipIf(spawnSync('minisign', ['-v']).error !== undefined)('minisign itself accepts our signatures', () => {
  const directory = mkdtempSync(join(tmpdir(), 'imprint-minisign-'));
  try {
    writeFileSync(join(directory, 'key.pub'), formatPublicKey(signer.publicKey));
    writeFileSync(join(directory, '1.json'), data);
    writeFileSync(join(directory, '1.json.minisig'), text);
    const minisign = (...more: string[]) =>
      spawnSync('minisign', ['-V', '-p', 'key.pub', '-m', '1.json', ...more], { cwd: directory, encoding: 'utf8' });
    expect(minisign()).toMatchObject({ status: 0, stdout: expect.stringContaining('imprint web:1') });
    writeFileSync(join(directory, '1.json'), 'other');
    expect(minisign().status).not.toBe(0);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
