import { Buffer } from 'node:buffer';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseBootOrder, parseLoadOption } from './load-option.ts';

/** Boot0002 “debian”, HD(1, GPT, 12345678-…) and \EFI\debian\shimx64.efi, as OVMF keeps it. */
function debian(): Buffer {
  const name = Buffer.from('debian\0', 'utf16le');
  const disk = Buffer.alloc(42);
  disk.writeUInt8(4, 0);
  disk.writeUInt8(1, 1);
  disk.writeUInt16LE(42, 2);
  Buffer.from('78563412bc9af0de0123456789abcdef', 'hex').copy(disk, 24);
  disk.writeUInt8(2, 40);
  disk.writeUInt8(2, 41);
  const path = Buffer.from('\\EFI\\debian\\shimx64.efi\0', 'utf16le');
  const file = Buffer.concat([Buffer.from([4, 4, path.length + 4, 0]), path]);
  const list = Buffer.concat([disk, file, Buffer.from([0x7f, 0xff, 4, 0])]);
  const head = Buffer.alloc(10);
  head.writeUInt32LE(7, 0);
  head.writeUInt32LE(1, 4);
  head.writeUInt16LE(list.length, 8);
  return Buffer.concat([head, name, list]);
}

describe('a boot variable', () => {
  it('says what it starts, and where', () => {
    expect(parseLoadOption(debian())).toEqual({
      ...{ name: 'debian', active: true, file: '\\EFI\\debian\\shimx64.efi' },
      partition: '12345678-9abc-def0-0123-456789abcdef',
    });
  });

  it('is read without failing, whatever it holds', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => void parseLoadOption(bytes)));
    const whole = debian();
    for (let length = 0; length < whole.length; length += 1) parseLoadOption(whole.subarray(0, length));
  });

  it('has its place in an order', () => {
    expect(parseBootOrder(Buffer.from('0700000003000a00', 'hex'))).toEqual(['Boot0003', 'Boot000A']);
    expect(parseBootOrder(undefined)).toEqual([]);
  });
});
