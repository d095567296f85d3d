/** Run by `installDisk`: WISH, as JSON. */
import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildBundle } from '../../scripts/build.ts';
import { carryOut } from '../../src/agent/install-order.ts';
import type { Digest } from '../../src/foundation/brand.ts';
import { systemClock } from '../../src/foundation/clock.ts';
import { Task } from '../../src/foundation/task.ts';
import { parsePublicKey } from '../../src/image/signature.ts';
import type { AgentProgram } from '../../src/operations/install/write-agent.ts';
import { openStore } from '../../src/store/open-store.ts';
import { readMachineFacts } from '../../src/system/machine-facts.ts';
import { unmountTree } from '../../src/system/mount.ts';
import { systemProcesses } from '../../src/system/run.ts';
import { restoreTree } from '../../src/tree/restore-tree.ts';
import { cached, locked } from './cache.ts';
import type { InstalledDiskWish } from './installed-disk.ts';
import { attachDisk } from './partition-file.ts';

const checkout = join(import.meta.dirname, '../..');

await install(JSON.parse(process.argv[2] ?? '') as InstalledDiskWish);

async function install(wish: InstalledDiskWish): Promise<void> {
  const work = await mkdtemp(join(tmpdir(), 'imprint-installing-'));
  try {
    await systemProcesses.run('truncate', ['--size', wish.size, wish.file], { timeout: 30_000 });
    await using disk = await attachDisk(wish.file);
    const publicKey = await serverKey(wish.data);
    const location = join(wish.data, 'store');
    const store = await openStore(location);
    const version = await store.resolve(wish.image).finally(() => store.close());
    const result = await carryOut(
      {
        kind: 'install',
        id: 'laboratory',
        name: wish.name,
        image: wish.image,
        digest: version.record.digest as Digest,
        record: version.recordText,
        recordSignature: version.signature ?? '',
        store: location,
        options: { ...wish.options, disk: disk.device },
      },
      await readMachineFacts(systemProcesses, [disk.device]),
      {
        key: parsePublicKey(publicKey),
        server: wish.server,
        session: 'f'.repeat(32),
        processes: systemProcesses,
        clock: systemClock,
        target: join(work, 'target'),
        agent: { program: await agentProgram(), publicKey },
        openStore: (url) => openStore(url),
        restore: (request) => restoreTree({ ...request, keepOnFailure: true }),
      },
      (act) => Task.run('install', () => {}, act),
    );
    if (result.kind !== 'installed') throw result.error;
  } finally {
    await unmountTree(systemProcesses, work, systemClock);
    await rm(work, { recursive: true, force: true });
  }
}

/** The agent as an install puts it on a disk: a bundle of these sources, cached by what they are. */
async function agentProgram(): Promise<AgentProgram> {
  const bundle = await locked('bundle', async () =>
    cached('bundle', [await sourcesKey()], async (made) => {
      await buildBundle(join(made, 'dist'));
    }),
  );
  return { node: process.execPath, bundle: join(bundle, 'dist'), boot: join(checkout, 'boot') };
}

async function sourcesKey(): Promise<string> {
  const hash = createHash('sha256');
  for (const directory of ['src', 'node_modules/.package-lock.json']) {
    const place = join(checkout, directory);
    const names = directory === 'src' ? (await readdir(place, { recursive: true })).sort() : [''];
    for (const name of names) {
      if (!/\.(ts|json)$/.test(name || directory)) continue;
      hash.update(`${name}\0`).update(await readFile(join(place, name)));
    }
  }
  return hash.digest('hex');
}

async function serverKey(data: string): Promise<string> {
  const keys = join(data, 'keys');
  const name = (await readdir(keys)).find((each) => each.endsWith('.pub'));
  if (name === undefined) throw new Error(`no public key in ${keys}`);
  return readFile(join(keys, name), 'utf8');
}
