import { type Measured, medianOf } from '../workshop.ts';

/** What bringing one tree from a state to the next took. */
export interface Update {
  name: string;
  client: Measured;
  /** Bytes over the wire, both ways where they are known, and requests. */
  bytes: number;
  requests?: number;
  /** CPU seconds of the server for this client; and for a second one. */
  server?: number;
  further?: number;
  /** The largest resident size of the server, in MiB. */
  memory?: number;
  /** How many machines one after another these are the medians of. */
  runs?: number;
}

/** One machine's update: what it took there, and CPU seconds of the server meanwhile. */
export interface MeasuredClient {
  client: Measured;
  server: number;
}

/** Ports of this machine that the servers listen at. */
export const ports = { imprint: 18_741, static: 18_742, rsync: 18_743 } as const;

/** The middle of several machines' updates, each figure by itself. */
export function medianClient(clients: readonly MeasuredClient[]): MeasuredClient {
  const servers = clients.map(({ server }) => server).sort((left, right) => left - right);
  return {
    client: medianOf(clients.map(({ client }) => client)),
    server: servers[Math.floor(servers.length / 2)] ?? Number.NaN,
  };
}
