import { execFile } from 'node:child_process';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Digest } from '../../src/foundation/brand.ts';
import { liveArea } from '../../src/machine/live-area.ts';
import { findLive } from '../../src/operations/live/find-live.ts';
import { LiveDisk } from '../../src/operations/live/live-disk.ts';
import { renderNote } from '../../src/operations/live/live-note.ts';
import { systemProcesses } from '../../src/system/run.ts';
import { bareMac, bareMachine, captureInto } from './bare-machine.ts';
import { makeGoldenTree } from './install-tree.ts';
import { type LoopDisk, loopDisk } from './loop-disk.ts';
import { factsOf, type RunningServer, startServer, TalkingImager } from './server-harness.ts';

const gibibyte = 1024 ** 3;

describe.skipIf(process.getuid?.() !== 0)('an order of an ordinary install', { timeout: 120_000 }, () => {
  let server: RunningServer;
  let disk: LoopDisk;

  beforeEach(async () => {
    server = await startServer();
    disk = await loopDisk(3 * gibibyte);
    const golden = join(disk.directory, 'golden');
    await makeGoldenTree(golden);
    await captureInto(server, golden);
  });
  afterEach(async () => {
    await disk[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
  });

  it('is shown as one where the last order was a live one', async () => {
    const options = { live: true };
    await server.call('machine.add', { machines: 'web01', macs: [bareMac], image: 'golden', options });
    await new TalkingImager(server, factsOf(bareMac, { memory: 4 * gibibyte })).hello();
    // Not in this process: the server answers in it.
    const env = { ...process.env, IMPRINT_SERVER: server.url, IMPRINT_TOKEN: server.token };
    const plan = async (...words: string[]) =>
      (await promisify(execFile)(resolve('imprint'), ['install', 'web01', '--dry-run', ...words], { env })).stdout;
    expect(await plan()).toContain('restore golden:1');
    const live = await plan('--live');
    expect(live).toContain('start golden:1');
    expect(live).not.toContain('restore golden:1');
  });

  it('is carried out where an earlier start was in the middle of a move', async () => {
    const script = 'label: gpt\nsize=1M\nsize=2G\n';
    await systemProcesses.run('sfdisk', ['--quiet', '--no-reread', '--no-tell-kernel', disk.device], { input: script });
    await systemProcesses.run('partx', ['--add', disk.device]);
    const device = `${disk.device}p2`;
    const [length, size] = [(2 * gibibyte) / 512, (320 * 1024 ** 2) / 512];
    const { changesAt, changesLength } = liveArea(length, size) ?? { changesAt: 0, changesLength: 0 };
    const phase = 'copied' as const;
    const record = { sequence: 1, phase, source: 'other', size, start: 0, length, changesAt, changesLength };
    const other = `sha256:${'a'.repeat(64)}` as Digest;
    const note = renderNote({
      ...{ format: 1, name: 'web01', reference: 'other:1', digest: other, record: '{}', recordSignature: 's' },
      ...{ store: `${server.url}/store`, device, uuid: 'u', fileSystem: 'ext4', time: 1, order: 'o', steps: [] },
    });
    {
      await using live = await LiveDisk.open(device);
      await live.keepNote(record, note);
      await live.keepRecord(record);
    }
    const [erase, bootCopy] = ['linux', 'none'] as const;
    await server.call('machine.add', {
      machines: 'web01',
      macs: [bareMac],
      image: 'golden',
      options: { bootCopy, erase },
    });
    await server.call('install.order', { machines: 'web01' });
    let seen = false;
    const bare = await bareMachine(server, [disk], {
      directory: disk.directory,
      findLive: async (facts) => {
        const found = await findLive(facts);
        seen = found?.note.reference === 'other:1';
        return found;
      },
    });
    expect(await bare.running, bare.console()).toBe('rebooted');
    expect(seen).toBe(true);
    expect(bare.console()).toMatch(/restore golden:1/);
  });
});
