import { expect, it } from 'vitest';
import { isSigned, isSignedUnder, shimAuthorities } from './secure-boot.ts';

/** A self-signed certificate of nobody: CN=Test Secure Boot CA. */
const certificate = Buffer.from(
  'MIIBnDCCAUOgAwIBAgIUBj+8yyd9dT9IO/8LLHqjKW1YCA4wCgYIKoZIzj0EAwIwHjEcMBoGA1UEAwwTVGVzdCBTZWN1cmUgQm9vdCBDQQ==',
  'base64',
);

/** The least of a PE32+ program: headers, one section with a long name, a signature behind it. */
function program(section: Uint8Array, signature: string): Buffer {
  const bytes = Buffer.alloc(4096 + section.length + 64);
  bytes.write('MZ');
  bytes.writeUInt32LE(0x40, 0x3c);
  bytes.write('PE\0\0', 0x40, 'latin1');
  bytes.writeUInt16LE(1, 0x46);
  // The table of strings, where the symbols would be.
  bytes.writeUInt32LE(2048, 0x4c);
  bytes.write('\x20\0\0\0.vendor_cert\0', 2048, 'latin1');
  bytes.writeUInt16LE(240, 0x54);
  bytes.writeUInt16LE(0x20b, 0x58);
  const at = 0x58 + 240;
  bytes.write('/4\0', at, 'latin1');
  bytes.writeUInt32LE(section.length, at + 16);
  bytes.writeUInt32LE(4096, at + 20);
  bytes.set(section, 4096);
  if (signature === '') return bytes;
  bytes.writeUInt32LE(4096 + section.length, 0x58 + 112 + 32);
  bytes.writeUInt32LE(64, 0x58 + 112 + 36);
  bytes.write(signature, 4096 + section.length + 8);
  return bytes;
}

function vendorSection(content: Uint8Array): Buffer {
  const head = Buffer.alloc(16);
  head.writeUInt32LE(content.length, 0);
  head.writeUInt32LE(16, 8);
  return Buffer.concat([head, content]);
}

it('finds who signed a program', () => {
  const signed = program(Buffer.alloc(0), 'CN=Debian Secure Boot CA');
  expect(isSigned(signed)).toBe(true);
  expect(isSignedUnder(signed, ['Debian Secure Boot CA'])).toBe(true);
  expect(isSignedUnder(signed, ['Canonical Ltd. Master Certificate Authority'])).toBe(false);
  expect(isSignedUnder(signed, [])).toBe(false);
  expect(isSigned(program(Buffer.alloc(0), ''))).toBe(false);
});

it('takes a certificate that cannot be read for none', () => {
  expect(shimAuthorities(program(vendorSection(certificate), ''))).toEqual([]);
  expect(shimAuthorities(program(vendorSection(Buffer.alloc(0)), ''))).toEqual([]);
});

it.each([
  Buffer.alloc(0),
  Buffer.from('MZ'),
  Buffer.alloc(100, 0x4d),
  Buffer.concat([Buffer.from('MZ'), Buffer.alloc(200, 0xff)]),
])('says no to what is no program', (bytes) => {
  expect([shimAuthorities(bytes), isSigned(bytes)]).toEqual([[], false]);
});
