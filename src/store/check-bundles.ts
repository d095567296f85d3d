import { digestFromHex } from '../foundation/brand.ts';
import { FormatError } from '../image/format-error.ts';
import type { Defect } from './defect.ts';
import type { DirectoryStore } from './directory-store.ts';
import { removeDurably } from './durable.ts';
import { bundlesDirectory } from './layout.ts';
import { openBundle } from './open-bundle.ts';

/**
 * Reads every bundle of the store against its checksum, and its name against the versions in it. A bad one is removed: it is made again when
 * a machine asks for it, and until then machines read packs.
 */
export async function* checkBundles(store: DirectoryStore): AsyncGenerator<Defect> {
  for (const name of await store.directoryFiles.names(bundlesDirectory)) {
    const [, from, to] = /^([0-9a-f]{64})-([0-9a-f]{64})\.bundle$/.exec(name) ?? [];
    if (from === undefined || to === undefined) continue;
    const path = `${bundlesDirectory}/${name}`;
    const problem = await problemOf(store.path(path), from, to);
    if (problem === undefined) continue;
    const removed = await removeDurably(store.path(path)).then(
      () => true,
      () => false,
    );
    const fate = removed ? 'it is removed, and made again when it is asked for' : 'it cannot be removed';
    yield { kind: 'bundle', path, code: 'corrupt-record', problem: `${problem}: ${fate}`, affects: [] };
  }
}

async function problemOf(path: string, from: string, to: string): Promise<string | undefined> {
  try {
    const { file } = await openBundle(path, digestFromHex(from), digestFromHex(to));
    await file.close();
    return undefined;
  } catch (error) {
    if (error instanceof FormatError) return error.message;
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EIO') return 'its disk cannot read it';
    // It went with a version, or for one that is newer, while we looked.
    if (code === 'ENOENT') return undefined;
    throw error;
  }
}
