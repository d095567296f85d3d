import { generateKeyPairSync, sign } from 'node:crypto';
import { expect, it } from 'vitest';
import { imagerOrderSchema } from '../contract/imager-protocol.ts';
import { publicKeyOf } from '../image/signature.ts';
import { openSigned } from './signed-wire.ts';

const { privateKey, publicKey } = generateKeyPairSync('ed25519');
const key = publicKeyOf(publicKey);
const nonce = 'a'.repeat(64);
const order = { nonce, time: 1, order: { kind: 'wait', name: 'web01', message: 'waiting' } };

function answer(payload: unknown, by = privateKey): string {
  const text = JSON.stringify(payload);
  return JSON.stringify({ payload: text, signature: sign(null, Buffer.from(text), by).toString('base64') });
}

const open = (text: string) => openSigned(text, { nonce, key, server: 's', schema: imagerOrderSchema });

it('takes what our key signed for this question', () => {
  expect(open(answer(order))).toEqual(order);
});

it.each([
  ['another key', answer(order, generateKeyPairSync('ed25519').privateKey), 'signature-wrong'],
  ['another question', answer({ ...order, nonce: 'b'.repeat(64) }), 'signature-wrong'],
  ['a changed payload', answer(order).replace('waiting', 'working'), 'signature-wrong'],
  ['no signature', JSON.stringify({ payload: JSON.stringify(order), signature: '' }), 'signature-wrong'],
  ['an order that is not known', answer({ ...order, order: { kind: 'dance', name: 'x' } }), 'server-unreachable'],
  ['a page of another server', '<html>', 'server-unreachable'],
])('refuses %s', (_what, text, code) => {
  expect(() => open(text)).toThrow(expect.objectContaining({ code }));
});
