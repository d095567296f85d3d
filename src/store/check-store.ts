import { type Digest, digestFromHex } from '../foundation/brand.ts';
import { ImprintError } from '../foundation/errors.ts';
import type { Task } from '../foundation/task.ts';
import { FormatError } from '../image/format-error.ts';
import type { PublicKey } from '../image/signature.ts';
import { checkBundles } from './check-bundles.ts';
import { checkManifest } from './check-manifest.ts';
import { checkPack } from './check-pack.ts';
import { checkTrust } from './check-trust.ts';
import { checkVersions } from './check-versions.ts';
import type { Defect } from './defect.ts';
import { DirectoryStore } from './directory-store.ts';
import { parseHints } from './hints.ts';
import { hintsPath, packPath, retiredMarkPath, storeFile, storeFileText } from './layout.ts';
import { PackTables } from './pack-tables.ts';
import { ReadingStore } from './reading-store.ts';
import { parseRetiredMark } from './retired-mark.ts';
import type { Store } from './store.ts';

export interface CheckOptions {
  /** Signatures are verified with these keys; without any, they are held against the index and their form. */
  publicKeys?: readonly PublicKey[];
}

/**
 * Reads every byte of a store and names all that is wrong: any bit that changed in any file. In a directory, packs found
 * damaged are marked, so that the next capture stores their content anew; a pack that is whole again loses its mark. Bad bundles are removed.
 * Progress counts manifests and packs.
 */
export async function* checkStore(store: Store, task: Task, options: CheckOptions = {}): AsyncGenerator<Defect> {
  if (!(store instanceof ReadingStore)) throw new ImprintError('internal', { problem: 'this store cannot be checked' });
  yield* checkHead(store);
  yield* checkTrust(store, options.publicKeys ?? []);
  const users = new Map<Digest, string[]>();
  yield* checkVersions(store, users, options.publicKeys ?? []);
  const packs = (await store.packs()).map((pack) => (typeof pack === 'string' ? pack : pack.pack)).toSorted();
  task.expect(packs.length + users.size, 'items');
  const tables = new PackTables(store.files);
  await tables.load(packs);
  const packUsers = new Map<string, Set<string>>();
  for (const [digest, references] of users) {
    task.signal.throwIfAborted();
    yield* checkManifest(store, digest, references, tables, packUsers);
    task.advance(1);
  }
  const marked = store instanceof DirectoryStore ? await store.damagedPacks() : new Set<string>();
  for (const pack of packs) {
    task.signal.throwIfAborted();
    const problem = await checkPack(store.files, pack);
    if (problem !== undefined) {
      const affects = [...(packUsers.get(pack) ?? [])];
      yield { kind: 'pack', path: packPath(pack), code: 'corrupt-pack', problem, affects };
    }
    if (store instanceof DirectoryStore && (problem !== undefined) !== marked.has(pack))
      await store.markPack(pack, problem !== undefined);
    task.advance(1);
  }
  if (store instanceof DirectoryStore) {
    yield* checkMarks(store);
    yield* checkHints(store);
    yield* checkBundles(store);
  }
}

async function* checkHead(store: ReadingStore): AsyncGenerator<Defect> {
  const text = (await store.files.read(storeFile, 1 << 16))?.toString('latin1');
  if (text === storeFileText) return;
  const problem = text === undefined ? 'it is missing' : 'it is not what it should be';
  yield { kind: 'store', path: storeFile, code: 'corrupt-record', problem, affects: [] };
}

async function* checkMarks(store: DirectoryStore): AsyncGenerator<Defect> {
  for (const pack of await store.retiredPacks()) {
    const path = retiredMarkPath(pack);
    try {
      const bytes = await store.files.read(path, 1 << 24);
      if (bytes !== undefined) parseRetiredMark(bytes.toString('latin1'));
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      yield { kind: 'mark', path, code: 'corrupt-record', problem: error.message, affects: [] };
    }
  }
}

async function* checkHints(store: DirectoryStore): AsyncGenerator<Defect> {
  for (const name of await store.directoryFiles.names('hints')) {
    const hex = /^([0-9a-f]{64})\.hints$/.exec(name)?.[1];
    if (hex === undefined) continue;
    const path = hintsPath(digestFromHex(hex));
    try {
      const bytes = await store.files.read(path, 1 << 30);
      if (bytes !== undefined) parseHints(bytes);
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      yield { kind: 'hints', path, code: 'corrupt-record', problem: error.message, affects: [] };
    }
  }
}
