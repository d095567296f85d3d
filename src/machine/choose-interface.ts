import type { MachineFacts } from '../contract/machine.ts';

type Interface = MachineFacts['interfaces'][number];

/** Which card a fixed address is for, as somebody wrote it. */
export interface InterfaceWish {
  device?: string | undefined;
  mac?: string | undefined;
}

export type InterfaceAnswer = { kind: 'interface'; name: string; mac: string } | { kind: 'problem'; problem: string };

/**
 * The one card that is meant: the one that is named, else the only one, else the only one with a cable. Two that fit are no answer: an address on the wrong card is a machine
 * that nobody reaches.
 */
export function chooseInterface(interfaces: readonly Interface[], { device, mac }: InterfaceWish): InterfaceAnswer {
  const named = interfaces.filter((each) => (device ?? each.name) === each.name && (mac ?? each.mac) === each.mac);
  const [first, second] = narrow(named);
  if (first === undefined) {
    const wished = [device, mac].filter((each) => each !== undefined).join(' ');
    return {
      kind: 'problem',
      problem: wished === '' ? 'this machine has no network card' : `no card here is ${wished}; ${list(interfaces)}`,
    };
  }
  if (second !== undefined) {
    const problem = `which card is the address for? ${list(named)}. Say it with MAC=${first.mac}`;
    return { kind: 'problem', problem };
  }
  return { kind: 'interface', name: first.name, mac: first.mac };
}

function narrow(interfaces: readonly Interface[]): readonly Interface[] {
  const withCable = interfaces.filter(({ carrier }) => carrier === true);
  return interfaces.length > 1 && withCable.length > 0 ? withCable : interfaces;
}

function list(interfaces: readonly Interface[]): string {
  return `there are ${interfaces.map(({ name, mac, carrier }) => `${name} (${mac}${carrier === true ? ', with a cable' : ''})`).join(', ') || 'none'}`;
}
