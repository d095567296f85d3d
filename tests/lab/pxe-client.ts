/**
 * What the PXE code in a network card's ROM says before it has anything of ours, for BIOS machines: QEMU has no such ROM but
 * iPXE's. To be run in the network: `node pxe-client.ts ADDRESS MAC`. Prints, as JSON, which servers answered the
 * DISCOVER and which file the boot server names. ADDRESS is the client's own, which the other DHCP server would have given it.
 * Source: the PXE specification 2.1, RFC 2131, RFC 4578.
 */
import { randomInt } from 'node:crypto';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';

/** One client's talk. */
export interface PxeTalk {
  /** Servers that offered an address, and those that offered where to boot from, by their own name. */
  addressesFrom: string[];
  bootFrom: string[];
  /** What the boot server says to the first item of its menu; absent: nobody has a menu. */
  file?: string;
}

type Options = ReadonlyMap<number, Buffer>;

const magic = 0x63825363;
const code = {
  vendor: 43,
  type: 53,
  server: 54,
  parameters: 55,
  class: 60,
  architecture: 93,
  undi: 94,
  uuid: 97,
} as const;
const type = { discover: 1, request: 3 } as const;
/** Within option 43. */
const pxe = { bootServers: 8, item: 71 } as const;
const patience = 5000;

async function talk(address: string, mac: string): Promise<PxeTalk> {
  const transaction = randomInt(2 ** 32);
  const heard: Buffer[] = [];
  // One that hears broadcasts; and one bound to the address, which chooses the interface to send by and hears what is sent to it.
  const receiver = await openSocket('0.0.0.0');
  const socket = await openSocket(address);
  for (const each of [receiver, socket]) {
    each.on('message', (bytes) => {
      if (bytes.length > 240 && bytes[0] === 2 && bytes.readUInt32BE(4) === transaction) heard.push(bytes);
    });
  }
  const ask = async (message: Buffer, port: number, to: string): Promise<Buffer[]> => {
    heard.length = 0;
    socket.send(message, port, to);
    await new Promise((resolve) => setTimeout(resolve, patience));
    return [...heard];
  };
  const offers = await ask(encode(transaction, mac, '0.0.0.0', type.discover), 67, '255.255.255.255');
  const gives = (offer: Buffer) => offer.readUInt32BE(16) !== 0;
  const proxies = offers.filter((offer) => !gives(offer));
  const result: PxeTalk = {
    addressesFrom: offers.filter(gives).map(serverOf),
    bootFrom: proxies.map(serverOf),
  };
  const [proxy] = proxies;
  const menu = proxy && readOptions(optionsOf(proxy).get(code.vendor) ?? Buffer.alloc(0)).get(pxe.bootServers);
  if (proxy && menu) {
    const item = Buffer.from([pxe.item, 4, ...menu.subarray(0, 2), 0, 0, 255]);
    const [answer] = await ask(encode(transaction, mac, address, type.request, item), 4011, serverOf(proxy));
    if (answer) result.file = answer.toString('latin1', 108, 236).replace(/\0.*$/s, '');
  }
  receiver.close();
  socket.close();
  return result;
}

async function openSocket(address: string): Promise<Socket> {
  const socket = createSocket({ type: 'udp4', reuseAddr: true });
  socket.bind(68, address);
  await once(socket, 'listening');
  socket.setBroadcast(true);
  return socket;
}

function encode(transaction: number, mac: string, address: string, kind: number, vendor?: Buffer): Buffer {
  const head = Buffer.alloc(240);
  head.set([1, 1, 6, 0]);
  head.writeUInt32BE(transaction, 4);
  // Answers come as broadcasts: the asker has no such address yet.
  head.writeUInt16BE(0x8000, 10);
  head.set(address.split('.').map(Number), 12);
  head.set(Buffer.from(mac.replaceAll(':', ''), 'hex'), 28);
  head.writeUInt32BE(magic, 236);
  const option = (number: number, content: Iterable<number>) => [number, [...content].length, ...content];
  const options = [
    ...option(code.type, [kind]),
    ...option(code.parameters, [1, 3, code.vendor, code.server, code.class, 66, 67]),
    ...option(code.class, Buffer.from('PXEClient:Arch:00000:UNDI:002001')),
    ...option(code.architecture, [0, 0]),
    ...option(code.undi, [1, 2, 1]),
    ...option(code.uuid, Buffer.alloc(17)),
    ...(vendor ? option(code.vendor, vendor) : []),
  ];
  return Buffer.concat([head, Buffer.from([...options, 255]), Buffer.alloc(64)]);
}

const optionsOf = (message: Buffer): Options => readOptions(message.subarray(240));

function serverOf(message: Buffer): string {
  return [...(optionsOf(message).get(code.server) ?? [])].join('.');
}

function readOptions(bytes: Buffer): Options {
  const options = new Map<number, Buffer>();
  for (let at = 0; at < bytes.length && bytes[at] !== 255; ) {
    const [number = 0, length = 0] = bytes.subarray(at, at + 2);
    if (number !== 0) options.set(number, bytes.subarray(at + 2, at + 2 + length));
    at += number === 0 ? 1 : 2 + length;
  }
  return options;
}

const [address = '', mac = ''] = process.argv.slice(2);
console.log(JSON.stringify(await talk(address, mac)));
