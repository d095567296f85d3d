import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Background } from '../background.ts';
import { mountEmptyExt4 } from '../empty-ext4.ts';
import { quoted, type Workshop } from '../workshop.ts';
import { type MeasuredClient, medianClient, ports, type Update } from './update.ts';

const program = fileURLToPath(new URL('../static-server.ts', import.meta.url));

/** A peer that fetches from a plain web server. */
export interface ServedPeer {
  name: string;
  /** What is served, a directory. */
  served: string;
  /** Makes a machine that has the old version in an empty directory; not measured. */
  begin(directory: string): void;
  /** The command that brings it to the new one, from this URL. */
  fetch(directory: string, url: string): string;
}

/** Measures a peer: as many machines one after another as there are runs. */
export async function servedUpdate(workshop: Workshop, peer: ServedPeer): Promise<Update> {
  const clients: MeasuredClient[] = [];
  let sent = { requests: Number.NaN, bytes: Number.NaN };
  for (let number = 0; number < workshop.runs; number += 1) {
    using machine = mountEmptyExt4(workshop);
    const { directory } = machine;
    peer.begin(directory);
    workshop.run(`sync -f ${quoted(directory)}`);
    const counts = join(workshop.empty('counts'), 'counts.json');
    rmSync(counts, { force: true });
    const words = [program, peer.served, String(ports.static), counts];
    await using server = await Background.start(process.execPath, words, ports.static);
    const before = server.cpu();
    const client = workshop.measure(`${peer.name}: update`, peer.fetch(directory, `http://127.0.0.1:${ports.static}`));
    clients.push({ client, server: server.cpu() - before });
    sent = JSON.parse(readFileSync(counts, 'utf8')) as typeof sent;
    workshop.say(`${peer.name}: ${(sent.bytes / 1e6).toFixed(1)} MB in ${sent.requests} requests`);
  }
  const { client, server } = medianClient(clients);
  return { name: peer.name, client, ...sent, server, further: server, runs: clients.length };
}
