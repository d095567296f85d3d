import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../foundation/clock.ts';
import { ImprintError } from '../../foundation/errors.ts';
import { agentFiles } from '../../machine/agent-files.ts';
import { isUrl, openStore } from '../../store/open-store.ts';
import type { Store, StoredVersion } from '../../store/store.ts';
import { openTrustMemory } from '../../store/trust-memory.ts';
import { createGuard, refusingGuard, type VersionGuard } from '../../store/version-guard.ts';
import { parseStart } from '../trust/find-guard.ts';

/** Where a version is to come from. */
export interface SourceWish {
  /** `web:3`, `URL`, `URL#web:3`, `DIR`, `DIR#web`; absent: the newest version of `image` in the machine's own store. */
  asked: string | undefined;
  /** Image of what runs. */
  image: string | undefined;
  /** The store where none is named: `--store`, else that of the machine's server. */
  store: string | undefined;
  /** Root of the running system, whose `/etc/imprint` says whom to trust. */
  root: string;
  /** `--trust`: a trust document or public key file, or `none`. */
  trust: string | undefined;
  clock: Clock;
  signal: AbortSignal;
  warn(message: string): void;
}

/** A store with the version in it, which was found trustworthy. */
export interface UpdateSource extends AsyncDisposable {
  store: Store;
  version: StoredVersion;
}

/** Tries of one read of the store: about a minute without an answer. */
const storeRetries = 8;

/**
 * Opens the store and resolves the version by the rules of docs/trust.md. Errors: `input-invalid` where no store or image is known,
 * `store-unreachable`, `image-not-found`, and those of `VersionGuard.check`.
 */
export async function openUpdateSource(wish: SourceWish): Promise<UpdateSource> {
  const { location, reference } = readAsked(wish);
  const guard = await machineGuard(wish);
  const { signal } = wish;
  const store = await openStore(location, {
    ...(guard === undefined ? {} : { guard }),
    ...(isUrl(location) ? { signal, retries: storeRetries } : {}),
  });
  try {
    return { store, version: await store.resolve(reference), [Symbol.asyncDispose]: () => store.close() };
  } catch (error) {
    await store.close();
    throw error;
  }
}

/** `URL#REF`, `DIR#REF`, `REF`. A place has a slash or a dot in front, so that no image can be mistaken for it. */
export function splitPlace(asked: string): { location?: string; reference?: string } {
  if (!isUrl(asked) && !/^\.{0,2}\//.test(asked)) return { reference: asked };
  const at = asked.lastIndexOf('#');
  const location = at < 0 ? asked : asked.slice(0, at);
  const reference = at < 0 ? '' : asked.slice(at + 1);
  return { location, ...(reference === '' ? {} : { reference }) };
}

function readAsked({ asked, image, store }: SourceWish): { location: string; reference: string } {
  const given = asked === undefined ? {} : splitPlace(asked);
  const location = given.location ?? store;
  const reference = given.reference ?? image;
  if (reference === undefined) {
    throw new ImprintError('input-invalid', {
      field: '--image',
      problem: 'it is not known which image runs here; name one',
    });
  }
  if (location !== undefined) return { location, reference };
  const problem = 'this machine has no server; name the store: --image URL#REF or --image DIR#REF';
  throw new ImprintError('input-invalid', { field: '--image', problem });
}

/** Whom this machine trusts: what `--trust` names, else what its install put there. Without either nothing is given out. */
async function machineGuard({ root, trust, clock, warn }: SourceWish): Promise<VersionGuard | undefined> {
  if (trust === 'none') {
    warn('nothing is checked: whoever made the version is believed (--trust none)');
    return undefined;
  }
  const places =
    trust === undefined
      ? [`${agentFiles.trust}/pinned`, agentFiles.serverKey].map((path) => join(root, path))
      : [trust];
  for (const path of places) {
    const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined;
      throw error;
    });
    if (text === undefined) continue;
    const start = parseStart(text, path);
    return createGuard({ start, memory: openTrustMemory(join(root, agentFiles.trust), start), clock, warn });
  }
  if (trust === undefined) return refusingGuard();
  throw new ImprintError('input-invalid', { field: '--trust', problem: `${trust} is not there` });
}
