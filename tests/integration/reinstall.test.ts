import { randomBytes } from 'node:crypto';
import { mkdir, open, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { InstallOptions } from '../../src/contract/machine.ts';
import type { Digest } from '../../src/foundation/brand.ts';
import { systemClock } from '../../src/foundation/clock.ts';
import { Task, type TaskEvent } from '../../src/foundation/task.ts';
import { readImageContent } from '../../src/machine/image-content.ts';
import { executeEarly, executeInstall } from '../../src/operations/install/execute-install.ts';
import { freshIdentity } from '../../src/operations/install/fresh-identity.ts';
import type { InstallContext } from '../../src/operations/install/install-context.ts';
import { OldChunks } from '../../src/operations/install/old-chunks.ts';
import { planInstall } from '../../src/planning/plan-install.ts';
import type { Step } from '../../src/planning/step.ts';
import { openStore } from '../../src/store/open-store.ts';
import type { Store } from '../../src/store/store.ts';
import { readMachineFacts } from '../../src/system/machine-facts.ts';
import { systemProcesses } from '../../src/system/run.ts';
import { restoreTree } from '../../src/tree/restore-tree.ts';
import { bareMac, bareMachine, captureInto } from './bare-machine.ts';
import { makeGoldenTree } from './install-tree.ts';
import { type LoopDisk, loopDisk } from './loop-disk.ts';
import { type RunningServer, startServer } from './server-harness.ts';
import { snapshotDifference, treeSnapshot } from './tree-snapshot.ts';

const { run } = systemProcesses;
const mebibyte = 1024 ** 2;
/** Content that nothing compresses, in files of this many bytes. */
const files = 64;
const fileBytes = 512 << 10;
const changed = 2 * fileBytes;
const diskBytes = 2 * 1024 * mebibyte;

describe.skipIf(process.getuid?.() !== 0)('a reinstall', { timeout: 400_000 }, () => {
  let server: RunningServer;
  let disk: LoopDisk;
  let golden: string;
  const stores: Store[] = [];

  beforeEach(async () => {
    server = await startServer();
    disk = await loopDisk(diskBytes);
    golden = join(disk.directory, 'golden');
    await makeGoldenTree(golden);
    await mkdir(join(golden, 'usr/share/data'), { recursive: true });
    for (let file = 0; file < files; file += 1)
      await writeFile(join(golden, `usr/share/data/${file}`), randomBytes(fileBytes));
    await captureInto(server, golden);
  });
  afterEach(async () => {
    for (const store of stores.splice(0)) await store.close();
    await disk[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
  });

  /** Installs the newest version; what it fetched, what it said, and how the tree differs from the golden one. */
  const install = async (more: { freeMemory?: () => number } = {}) => {
    await server.call('install.order', { machines: 'web01' });
    let differences: string[] | undefined;
    const bare = await bareMachine(server, [disk], {
      ...{ directory: disk.directory, freeMemory: () => 2048 * mebibyte, ...more },
      onRestored: (target) => {
        differences = snapshotDifference(treeSnapshot(golden), treeSnapshot(target, ['lost+found']));
      },
    });
    // An imager whose install failed stays where it is.
    const failed = () => /INSTALL FAILED|NOT INSTALLED/.test(bare.console());
    let over = false;
    bare.running.then(() => {
      over = true;
    });
    while (!over && !failed()) await systemClock.sleep(200);
    if (failed()) await bare.stop();
    expect(await bare.running, bare.console()).toBe('rebooted');
    expect(differences).toEqual([]);
    return { fetched: bare.fetched(), console: bare.console() };
  };

  /** Installs the first version, and captures the second, which differs in two files. */
  const begin = async (options: InstallOptions = {}) => {
    await server.call('machine.add', { machines: 'web01', macs: [bareMac], image: 'golden' });
    await server.call('machine.set', { machines: 'web01', options });
    const first = await install();
    expect(first.fetched).toBeGreaterThan(files * fileBytes);
    expect(first.console).not.toContain('old system');
    await captureSecond();
  };

  const captureSecond = async () => {
    await writeFile(join(golden, 'usr/share/data/7'), randomBytes(fileBytes));
    await writeFile(join(golden, 'usr/share/data/new'), randomBytes(fileBytes));
    await rm(join(golden, 'usr/share/data/3'));
    await captureInto(server, golden);
  };

  const within = async (number: number, work: (root: string) => Promise<void>) => {
    const directory = join(disk.directory, 'looked-at');
    await mkdir(directory, { recursive: true });
    await run('mount', [`${disk.device}p${number}`, directory]);
    try {
      await work(directory);
    } finally {
      await run('umount', [directory]);
    }
  };

  /** The same without an imager: with an initial RAM disk of nothing, in which image files could not be found. */
  const installHere = async (options: InstallOptions, on = disk) => {
    const store = await openStore(`${server.url}/store`, { retries: 2 });
    stores.push(store);
    const version = await store.find('golden');
    const { record, recordText } = version;
    const content = await readImageContent(store.entries(record.digest as Digest));
    const plan = planInstall({
      ...{ name: 'web01', reference: 'golden', record, content, fresh: freshIdentity(), remote: true },
      facts: { ...(await readMachineFacts(systemProcesses, [on.device])), memory: 4096 * mebibyte },
      options: { ...options, disk: on.device },
    });
    if (plan.kind === 'refused') throw plan.error;
    const chunks = new OldChunks();
    const said: string[] = [];
    let differences: string[] | undefined;
    const context: InstallContext = {
      ...{ processes: systemProcesses, clock: systemClock, content, target: join(on.directory, 'target') },
      makers: {
        detect: async () => ({ kind: 'initramfs-tools', modules: new Set() }),
        build: async () => Buffer.from('addition'),
      },
      keptVersion: async () => ({ recordText, manifest: await store.manifestFile(record.digest as Digest) }),
      old: { chunks, record, store, freeMemory: () => 2048 * mebibyte },
      restore: async (target, task) => {
        await restoreTree({ store: chunks.before(store), version, target, task, keepOnFailure: true });
        differences = snapshotDifference(treeSnapshot(golden), treeSnapshot(target, ['lost+found']));
      },
    };
    const listen = ({ kind, message, path }: TaskEvent) => {
      if ((kind === 'warning' || kind === 'log') && path[1]?.startsWith('take')) said.push(message);
    };
    const { steps } = plan;
    return {
      steps,
      gather: () => Task.run('gather', listen, (task) => executeEarly('web01', steps[0] as Step, context, task)),
      run: async () => {
        await Task.run('install', listen, (task) => executeInstall('web01', steps, context, task));
        expect(differences).toEqual([]);
        return { fetched: store.traffic.bytes, said };
      },
      chunks,
      said,
    };
  };

  it.each([
    { layout: 'single', fileSystem: 'btrfs' },
    { layout: 'slots', fileSystem: 'xfs' },
    { layout: 'files', fileSystem: 'ext4' },
    { layout: 'files', fileSystem: 'btrfs' },
  ] satisfies InstallOptions[])('fetches only what the old system has not: $layout on $fileSystem', async (options) => {
    const first = await (await installHere(options)).run();
    expect(first.fetched).toBeGreaterThan(files * fileBytes);
    await captureSecond();
    const second = await installHere(options);
    expect(second.steps[0]?.kind).toBe('gather-old');
    const { fetched, said } = await second.run();
    expect(fetched, said.join('\n')).toBeGreaterThan(changed);
    expect(fetched, said.join('\n')).toBeLessThan((files * fileBytes) / 2);
    expect(said).toEqual([
      expect.stringMatching(/MiB of golden are on the disk already, and now in .* MiB of memory$/),
    ]);
    const { stdout } = await run('losetup', ['--list', '--noheadings', '--output', 'BACK-FILE']);
    expect(stdout).not.toContain(`${disk.directory}/target-old`);
  });

  it('tells of it at the machine', async () => {
    await begin();
    const { fetched, console } = await install();
    expect(console).toMatch(/take from the old system what golden:2 shares with it, up to \S+ MiB in memory/);
    expect(console).toMatch(/took \d+(\.\d)? MiB from the old system, fetched \d+(\.\d+)? MiB/);
    expect(fetched).toBeLessThan((files * fileBytes) / 2);
    expect(console).not.toContain('Nothing more is taken');
  });

  it.each(['ext4', 'xfs', 'btrfs'] as const)(
    'reads an old system that lost its power, and writes not a byte to it: %s',
    async (fileSystem) => {
      await (await installHere({ fileSystem })).run();
      await captureSecond();
      await using other = await loopDisk(diskBytes);
      await within(4, async (root) => {
        await writeFile(join(root, 'etc/new'), 'of the machine');
        await run('sync', ['-f', root]);
        await run('cp', ['--sparse=always', disk.file, other.file]);
      });
      await run('blockdev', ['--flushbufs', other.device]);
      await run('partx', ['--add', other.device]);
      if (fileSystem === 'ext4')
        expect((await run('dumpe2fs', ['-h', `${other.device}p4`])).stdout).toContain('needs_recovery');
      const before = join(other.directory, 'before');
      await run('cp', ['--sparse=always', other.file, before]);
      const again = await installHere({ fileSystem }, other);
      expect(again.steps[0]?.kind).toBe('gather-old');
      await again.gather();
      expect(again.said).toEqual([expect.stringMatching(/are on the disk already/)]);
      expect(again.chunks.content).toBeGreaterThan((files * fileBytes) / 2);
      await run('blockdev', ['--flushbufs', other.device]);
      expect((await run('cmp', [other.file, before], { timeout: 120_000, accept: [0, 1] })).stdout).toBe('');
    },
  );

  it('ends with the right tree where the old one is damaged', async () => {
    await begin();
    await using handle = await open(`${disk.device}p4`, 'r+');
    // Of every two mebibytes a part; the superblock and what is behind it stay.
    for (let at = 8; at < 256; at += 2) await handle.write(randomBytes(96 << 10), 0, 96 << 10, at * mebibyte);
    await handle.sync();
    await run('blockdev', ['--flushbufs', `${disk.device}p4`]);
    const { fetched } = await install();
    expect(fetched).toBeGreaterThan((files * fileBytes) / 2);
  });

  it('fetches all where there is no memory for it, or the old system cannot be relied on', async () => {
    await begin();
    const none = await install({ freeMemory: () => 0 });
    expect(none.console).toContain('take from the old system');
    expect(none.console).not.toContain('took');
    expect(none.fetched).toBeGreaterThan(files * fileBytes);
    const changes: Record<string, (root: string) => Promise<unknown>> = {
      'a link out of the tree': async (root) => {
        await rename(join(root, 'usr/share/data'), join(root, 'usr/share/real'));
        await symlink(join(golden, 'usr/share/data'), join(root, 'usr/share/data'));
      },
      'a pipe for its record': async (root) => {
        await rm(join(root, 'var/lib/imprint/version.json'));
        await run('mkfifo', [join(root, 'var/lib/imprint/version.json')]);
      },
      'a manifest that is none': (root) => writeFile(join(root, 'var/lib/imprint/manifest'), randomBytes(10_000)),
    };
    for (const [what, change] of Object.entries(changes)) {
      await within(4, async (root) => void (await change(root)));
      const { fetched } = await install();
      expect(fetched, what).toBeGreaterThan(files * fileBytes);
    }
    // Nothing of that lasts: the version itself is there, and is taken.
    expect((await install()).fetched).toBeLessThan((files * fileBytes) / 2);
  });
});
