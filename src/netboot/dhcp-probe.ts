import { randomBytes, randomInt } from 'node:crypto';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { type MacAddress, parseMacAddress } from '../foundation/brand.ts';
import type { Clock } from '../foundation/clock.ts';
import { ImprintError } from '../foundation/errors.ts';
import { encodeDiscover, parseOffer } from './dhcp-message.ts';

export interface ProbeOptions {
  interface: string;
  /** Our IPv4 address on it: what makes the kernel send the broadcast out of this interface. */
  address: string;
  mac: MacAddress;
  clock: Clock;
  signal?: AbortSignal;
}

/** When to ask, and how long to listen in all, in milliseconds: dnsmasq itself pings for 3 s before it offers. */
const asks = [0, 1000, 1000];
const listenAfter = 3000;
/** Others may answer a little later than the first. */
const gather = 300;

/**
 * Asks whether DHCP servers answer on an interface; answers with their addresses. Asks as the interface itself and as a
 * machine that nobody knows, since a server may serve only those that it knows, or only those that it does not. Takes 5 s
 * where there is none. Errors: `netboot-unfit` where port 68 cannot be had, so that nobody can tell.
 */
export async function probeDhcp(options: ProbeOptions): Promise<string[]> {
  const servers = new Set<string>();
  const questions = [options.mac, strangerMac()].map((mac) => ({ transaction: randomInt(2 ** 32), mac }));
  const heard = new AbortController();
  // Two sockets: one bound to the address, which chooses the interface to send by; one that hears broadcasts.
  await using receiver = await openSocket(options, '0.0.0.0');
  await using sender = await openSocket(options, options.address);
  for (const { socket } of [receiver, sender]) {
    socket.on('message', (bytes) => {
      const offer = parseOffer(bytes);
      if (!offer || !questions.some(({ transaction }) => transaction === offer.transaction)) return;
      servers.add(offer.server);
      heard.abort();
    });
  }
  const { clock } = options;
  const until = AbortSignal.any([heard.signal, ...(options.signal ? [options.signal] : [])]);
  try {
    for (const pause of asks) {
      await clock.sleep(pause, until);
      for (const { transaction, mac } of questions) {
        sender.socket.send(encodeDiscover(transaction, mac), 67, '255.255.255.255', (error) => {
          // A send that fails is seen as no answer only if all do; a link that is down has no server either.
          if (error) return;
        });
      }
    }
    await clock.sleep(listenAfter, until);
  } catch {
    options.signal?.throwIfAborted();
    await clock.sleep(gather, options.signal);
  }
  return [...servers].sort();
}

async function openSocket(
  { interface: name }: ProbeOptions,
  address: string,
): Promise<AsyncDisposable & { socket: Socket }> {
  const socket = createSocket({ type: 'udp4', reuseAddr: true });
  try {
    socket.bind(68, address);
    await once(socket, 'listening');
    socket.setBroadcast(true);
  } catch (cause) {
    socket.close();
    const problem = `whether another DHCP server answers there cannot be found out (port 68: ${(cause as Error).message})`;
    const hint = 'Stop the DHCP client of this machine on that interface, or say --allow-foreign-dhcp.';
    throw new ImprintError('netboot-unfit', { interface: name, problem, hint }, { cause });
  }
  socket.on('error', () => {});
  return {
    socket,
    [Symbol.asyncDispose]: async () => {
      socket.close();
    },
  };
}

/** A MAC address that no card has: locally administered, random. */
function strangerMac(): MacAddress {
  const mac = parseMacAddress(`02${randomBytes(5).toString('hex')}`);
  if (mac === undefined) throw new Error('six bytes are a MAC address');
  return mac;
}
