import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { MacAddress } from '../foundation/brand.ts';
import { encodeDiscover, parseOffer } from './dhcp-message.ts';

const mac = '52:54:00:12:34:56' as MacAddress;

function offer(options: number[]): Uint8Array {
  const message = Buffer.from(encodeDiscover(0x01020304, mac));
  message[0] = 2;
  message.set([10, 0, 0, 50, 10, 0, 0, 1], 16);
  message.fill(0, 240);
  message.set(options, 240);
  return message;
}

test('asks as RFC 2131 says', () => {
  const message = Buffer.from(encodeDiscover(0xfedcba98, mac));
  expect(message.subarray(0, 12).toString('hex')).toBe('01010600fedcba9800008000');
  expect(message.subarray(28, 34).toString('hex')).toBe('525400123456');
  expect(message.subarray(236, 243).toString('hex')).toBe('63825363350101');
});

test('reads an offer, by the server’s own name or the address field', () => {
  expect(parseOffer(offer([0, 53, 1, 2, 54, 4, 10, 0, 0, 9, 255]))).toEqual({
    transaction: 0x01020304,
    server: '10.0.0.9',
    address: '10.0.0.50',
  });
  expect(parseOffer(offer([53, 1, 2, 255]))?.server).toBe('10.0.0.1');
});

test.each([
  ['an acknowledgement', offer([53, 1, 5, 255])],
  ['a question', encodeDiscover(1, mac)],
  ['an option that runs past the end', offer([53, 1, 2]).subarray(0, 242)],
  ['nothing', new Uint8Array()],
])('%s is no offer', (_title, bytes) => {
  expect(parseOffer(bytes)).toBeUndefined();
});

test('any bytes are read without a throw', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), (tail) => {
      parseOffer(tail);
      parseOffer(Buffer.concat([offer([]).subarray(0, 240), tail]));
    }),
  );
});
