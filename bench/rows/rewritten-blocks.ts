import { type Cipheriv, createCipheriv } from 'node:crypto';
import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { formatNumber, type Line, type Report } from '../report.ts';
import { imprintPeer, peers, requirePrograms } from '../stores.ts';
import type { Workshop } from '../workshop.ts';
import { begin, least } from './first-version.ts';

const blockSize = 4096;
const blocks = 122_070;
/** One in a hundred, spread evenly at random. */
const share = 100;

/** A file of 500 MB, like a database or the disk of a virtual machine, of which 1 % of the blocks are rewritten between two versions. */
export function measureRewrittenBlocks(workshop: Workshop): Report {
  requirePrograms(peers);
  const keepers = [imprintPeer(workshop, 'imprint'), ...peers];
  const tree = join(workshop.empty('blocks'), 'tree');
  mkdirSync(tree);
  const file = join(tree, 'database');
  const noise = makeNoise(file);
  const sizes = keepers.map((peer) => {
    const directory = begin(workshop, peer);
    workshop.measure(`${peer.name}: 500 MB`, peer.capture(directory, tree, 'v1'));
    return peer.size(directory);
  });
  const rewritten = rewriteBlocks(file, noise) / blockSize;
  const lines = keepers.map((peer, index): Line => {
    const name = `${peer.name}: 1 % of 500 MB rewritten`;
    const directory = join(workshop.work, peer.name);
    const measured = workshop.measure(name, peer.capture(directory, tree, 'v2'));
    const output = peer.size(directory) - (sizes[index] ?? 0);
    workshop.remove(peer.name);
    return { name, measured, output };
  });
  workshop.remove('blocks');
  const added = (index: number) => (lines[index]?.output ?? Number.NaN) / 1e6;
  const smallest = least(peers.map(({ name }, index) => [name, added(index + 1)]));
  const bytes = (rewritten * blockSize) / 1e6;
  const against = `${smallest.name}: ${formatNumber(smallest.value)} MB (${formatNumber(bytes)} MB were rewritten)`;
  return {
    goals: [
      {
        name: 'third version: bytes added by 1 % of 500 MB rewritten',
        own: added(0),
        limit: smallest.value,
        unit: 'MB',
        against,
      },
    ],
    lines,
  };
}

/** Writes the file; what follows its content in the same noise is for `rewriteBlocks`. */
export function makeNoise(file: string): Cipheriv {
  const noise = createCipheriv('aes-128-ctr', Buffer.alloc(16, 1), Buffer.alloc(16));
  const fd = openSync(file, 'w');
  for (let block = 0; block < blocks; block += 1) writeSync(fd, noise.update(Buffer.alloc(blockSize)));
  closeSync(fd);
  return noise;
}

/** Rewrites one block in a hundred; how many bytes that is. */
export function rewriteBlocks(file: string, noise: Cipheriv): number {
  const changed = openSync(file, 'r+');
  const rewritten = Math.round(blocks / share);
  for (const block of someBlocks(rewritten))
    writeSync(changed, noise.update(Buffer.alloc(blockSize)), 0, blockSize, block * blockSize);
  closeSync(changed);
  return rewritten * blockSize;
}

/** Different blocks, the same at every run. */
function someBlocks(count: number): Set<number> {
  const chosen = new Set<number>();
  const numbers = createCipheriv('aes-128-ctr', Buffer.alloc(16, 2), Buffer.alloc(16));
  while (chosen.size < count) chosen.add(numbers.update(Buffer.alloc(4)).readUInt32LE(0) % blocks);
  return chosen;
}
