import { readFileSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { MachineFacts } from '../../src/contract/machine.ts';
import type { Digest } from '../../src/foundation/brand.ts';
import { systemClock } from '../../src/foundation/clock.ts';
import { CopiedMap } from '../../src/machine/copied-map.ts';
import { liveArea } from '../../src/machine/live-area.ts';
import type { LiveRecord } from '../../src/machine/live-record.ts';
import type { RootFileSystem } from '../../src/machine/root-file-system.ts';
import { findLive } from '../../src/operations/live/find-live.ts';
import { finishMove } from '../../src/operations/live/finish-move.ts';
import { LiveDisk } from '../../src/operations/live/live-disk.ts';
import { renderNote } from '../../src/operations/live/live-note.ts';
import { mountDevice, unmountTree } from '../../src/system/mount.ts';
import { systemProcesses } from '../../src/system/run.ts';
import { type LoopDisk, loopDisk } from './loop-disk.ts';

/** The kernel lets who has CAP_SYS_RESOURCE alone grow an ext4, which containers may not have; virtual machines (`./test matrix live-network`) grow one, too. */
const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0';
const mayGrowExt4 = ((BigInt(`0x${effective}`) >> 24n) & 1n) === 1n;
const growing = [...(mayGrowExt4 ? (['ext4'] as const) : []), 'xfs', 'btrfs'] as const;
const mebibyte = 2 ** 20;
const bytes = 1024 * mebibyte;
const length = bytes / 512;
const size = (320 * mebibyte) / 512;

function recordOf(phase: LiveRecord['phase']): LiveRecord {
  const area = liveArea(length, size);
  if (area === undefined) throw new Error('no room');
  const { changesAt, changesLength } = area;
  return { sequence: 1, phase, source: 'web', size, start: 0, length, changesAt, changesLength };
}

function noteFor({ device }: LoopDisk, fileSystem: RootFileSystem): string {
  return renderNote({
    ...{ format: 1, name: 'web1', reference: 'web:3', digest: `sha256:${'a'.repeat(64)}` as Digest, record: '{}' },
    ...{ recordSignature: 's', store: 'http://server/store', device, uuid: 'u', fileSystem, time: 1, order: 'o' },
    steps: [],
  });
}

/** As the imager sees the disk. */
function facts({ device }: LoopDisk): Pick<MachineFacts, 'disks'> {
  const disk = {
    path: device,
    size: bytes,
    sectorSize: 512,
    removable: false,
    readOnly: false,
    content: '',
    inUse: [],
  };
  return { disks: [{ ...disk, partitions: [{ number: 1, path: device, start: 0, size: bytes, type: '' }] }] };
}

/** A file system that ends where the changes began. */
async function make(disk: LoopDisk, fileSystem: RootFileSystem): Promise<void> {
  const { changesAt } = recordOf('done');
  const blocks = String(changesAt / 8);
  const { run } = systemProcesses;
  if (fileSystem === 'ext4') await run('mkfs.ext4', ['-q', '-F', '-b', '4096', disk.device, blocks]);
  else if (fileSystem === 'xfs') await run('mkfs.xfs', ['-q', '-f', '-d', `size=${changesAt * 512}`, disk.device]);
  else await run('mkfs.btrfs', ['-q', '-f', '-b', String(changesAt * 512), disk.device]);
}

describe.skipIf(process.getuid?.() !== 0)(
  'what is written down on the disk of a live system',
  { timeout: 120_000 },
  () => {
    it('is found again: record, note, what was copied; until it is forgotten', async () => {
      await using loop = await loopDisk(bytes);
      expect(await findLive(facts(loop))).toBeUndefined();
      await using disk = await LiveDisk.open(loop.device);
      const record = recordOf('copying');
      await disk.forgetRecords(length);
      await disk.clear(record);
      const map = new CopiedMap(size, 4096);
      await disk.copy(
        { start: 8, length: 16 },
        async (position, count) => Buffer.alloc(count, position / 512),
        async () => {},
      );
      map.mark({ start: 8, length: 16 });
      await disk.keepCopied(record, map);
      map.mark({ start: 0, length: 8 });
      await disk.keepCopied(record, map);
      expect(await findLive(facts(loop)), 'nothing counts without a record').toBeUndefined();
      await disk.keepNote(record, noteFor(loop, 'ext4'));
      await disk.keepRecord(record);
      const found = await findLive(facts(loop));
      expect(found).toMatchObject({ record, note: { name: 'web1', device: loop.device } });
      const bits = await disk.copied(record);
      expect(new CopiedMap(size, 4096, bits).runs()).toEqual([{ start: 0, length: 24 }]);
      await disk.keepRecord({ ...record, sequence: 2, phase: 'merging' });
      expect((await findLive(facts(loop)))?.record.phase).toBe('merging');
      await disk.forgetRecords(length);
      expect(await findLive(facts(loop))).toBeUndefined();
    });

    it.each(growing)('is ended by the system itself where a cut came behind the last phase: %s', async (fileSystem) => {
      await using loop = await loopDisk(bytes);
      await make(loop, fileSystem);
      const record = recordOf('done');
      {
        await using disk = await LiveDisk.open(loop.device);
        await disk.keepNote(record, noteFor(loop, fileSystem));
        await disk.keepRecord(record);
      }
      expect((await findLive(facts(loop)))?.record.phase).toBe('done');
      const root = join(loop.directory, 'root');
      await mountDevice(systemProcesses, { device: loop.device, directory: root, type: fileSystem, options: 'rw' });
      try {
        const before = (await statfs(root)).blocks;
        expect(await finishMove(systemProcesses, root)).toBe(true);
        expect((await statfs(root)).blocks).toBeGreaterThan(before);
        expect(await finishMove(systemProcesses, root)).toBe(false);
      } finally {
        await unmountTree(systemProcesses, root, systemClock);
      }
      {
        // Somebody else's bytes by now: a record among them counts for nothing.
        await using disk = await LiveDisk.open(loop.device);
        await disk.keepNote(record, noteFor(loop, fileSystem));
        await disk.keepRecord(record);
      }
      expect(await findLive(facts(loop))).toBeUndefined();
    });
  },
);
