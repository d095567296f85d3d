import { describe, expect, it } from 'vitest';
import { commands, errors, parseRequest, RequestReader, replyHead } from './protocol.ts';

/** As the kernel's `nbd_send_cmd` lays it out. */
function request(command: number, offset: bigint, length: number, cookie = 7n): Buffer {
  const bytes = Buffer.alloc(28);
  bytes.writeUInt32BE(0x25609513, 0);
  bytes.writeUInt16BE(command, 6);
  bytes.writeBigUInt64BE(cookie, 8);
  bytes.writeBigUInt64BE(offset, 16);
  bytes.writeUInt32BE(length, 24);
  return bytes;
}

describe('what the kernel asks of a block device', () => {
  it('is read, beyond 4 GiB, too', () => {
    expect(parseRequest(request(commands.read, 5_000_000_000n, 4096))).toMatchObject({
      command: 0,
      offset: 5e9,
      length: 4096,
    });
  });

  it('is taken out of a stream at any cut', () => {
    const stream = Buffer.concat([
      request(commands.read, 0n, 512, 1n),
      request(commands.write, 4096n, 100, 2n),
      Buffer.alloc(100, 0x25),
      request(commands.flush, 0n, 0, 3n),
    ]);
    for (const step of [1, 3, 27, 28, 29, 128, stream.length]) {
      const reader = new RequestReader();
      const found = [];
      for (let at = 0; at < stream.length; at += step) found.push(...reader.add(stream.subarray(at, at + step)));
      expect(found.map(({ command, cookie }) => [command, cookie[7]])).toEqual([
        [0, 1],
        [1, 2],
        [3, 3],
      ]);
    }
  });

  it('is refused where it is none', () => {
    expect(() => new RequestReader().add(Buffer.alloc(28))).toThrow(RangeError);
  });

  it('is answered with what names it', () => {
    const { cookie } = parseRequest(request(commands.read, 0n, 512, 0x1122334455667788n));
    expect(replyHead(cookie, errors.io).toString('hex')).toBe('67446698000000051122334455667788');
    expect(replyHead(cookie).readUInt32BE(4)).toBe(0);
  });
});
