import { spawnSync } from 'node:child_process';
import { createPrivateKey, generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FormatError } from './format-error.ts';
import { createSigner, formatPublicKey, parsePublicKey, parseSignature, verifySignature } from './signature.ts';

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
