import type { MacAddress } from '../foundation/brand.ts';

/** An answer of a DHCP server to a DISCOVER. */
export interface DhcpOffer {
  transaction: number;
  /** The server's own name for itself (option 54), dotted. */
  server: string;
  /** What it would hand out. */
  address: string;
}

const magic = 0x63825363;
const fixedLength = 240;
const option = { pad: 0, messageType: 53, server: 54, parameters: 55, end: 255 } as const;
const messageType = { discover: 1, offer: 2 } as const;

/** A DHCPDISCOVER whose answer is to come as a broadcast, since the asker has no such address. Source: RFC 2131, 2132. */
export function encodeDiscover(transaction: number, mac: MacAddress): Uint8Array {
  const message = Buffer.alloc(300);
  message.writeUInt8(1, 0);
  message.writeUInt8(1, 1);
  message.writeUInt8(6, 2);
  message.writeUInt32BE(transaction, 4);
  message.writeUInt16BE(0x8000, 10);
  message.set(Buffer.from(mac.replaceAll(':', ''), 'hex'), 28);
  message.writeUInt32BE(magic, 236);
  message.set([option.messageType, 1, messageType.discover, option.parameters, 2, 1, 3, option.end], fixedLength);
  return message;
}

/** An offer from the bytes of a datagram; undefined for anything else. Never throws. */
export function parseOffer(bytes: Uint8Array): DhcpOffer | undefined {
  const message = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (message.length < fixedLength || message[0] !== 2 || message.readUInt32BE(236) !== magic) return undefined;
  const options = readOptions(message.subarray(fixedLength));
  if (options.get(option.messageType)?.[0] !== messageType.offer) return undefined;
  const server = options.get(option.server);
  return {
    transaction: message.readUInt32BE(4),
    server: server?.length === 4 ? [...server].join('.') : [...message.subarray(20, 24)].join('.'),
    address: [...message.subarray(16, 20)].join('.'),
  };
}

function readOptions(bytes: Buffer): Map<number, Buffer> {
  const options = new Map<number, Buffer>();
  for (let at = 0; at < bytes.length; ) {
    const code = bytes[at] ?? option.end;
    if (code === option.end) break;
    if (code === option.pad) {
      at += 1;
      continue;
    }
    const length = bytes[at + 1];
    if (length === undefined || at + 2 + length > bytes.length) break;
    options.set(code, bytes.subarray(at + 2, at + 2 + length));
    at += 2 + length;
  }
  return options;
}
