import { type Digest, displayPath, type RawPath, rawPath } from '../foundation/brand.ts';
import { ImprintError } from '../foundation/errors.ts';
import type { Entry } from '../image/entry.ts';
import type { Store } from '../store/store.ts';

const linkLimit = 40;

/**
 * The entry at a path (raw bytes, with or without a slash in front). Symlinks on the way are followed inside the version, as the machine itself would; the last one only with `follow`. Hard links
 * answer as themselves. Throws `path-not-found`.
 */
export async function findEntry(
  store: Store,
  digest: Digest,
  path: RawPath,
  reference: string,
  options: { follow: boolean; signal: AbortSignal },
): Promise<Entry> {
  let wanted = normalise(path);
  for (let links = 0; links <= linkLimit; links += 1) {
    const found = await deepestOnTheWay(store, digest, wanted, options.signal);
    const last = found?.path === wanted;
    if (found?.type === 'symlink' && (!last || options.follow)) {
      const target = found.target ?? '';
      const base = target.startsWith('/') ? '' : found.path.slice(0, Math.max(0, found.path.lastIndexOf('/')));
      wanted = normalise(`${base}/${target}/${wanted.slice(found.path.length)}`);
      continue;
    }
    if (found && last) return found;
    break;
  }
  // A symlink that leads nowhere is there itself: say where it leads.
  const leads = wanted === normalise(path) ? '' : ` → ${displayPath(`/${wanted}` as RawPath)}`;
  throw new ImprintError('path-not-found', { path: `${displayPath(path)}${leads}`, reference });
}

/**
 * A path as a person writes it, as raw bytes. `\xNN` stands for one byte where our listings write one so (`displayPath`); others, as in
 * systemd's `mnt-my\x2ddisk.mount`, are meant as they stand.
 */
export function rawArgument(path: string): RawPath {
  return rawPath(path).replaceAll(/\\x([01][0-9a-f]|7f|[89a-f][0-9a-f])/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 16)),
  ) as RawPath;
}

/** Without empty parts, `.` and `..`; `..` above the root stays at the root. */
function normalise(path: string): RawPath {
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return parts.join('/') as RawPath;
}

/** Of the path and the directories above it, the deepest that is there; a symlink ends the way. */
async function deepestOnTheWay(
  store: Store,
  digest: Digest,
  wanted: RawPath,
  signal: AbortSignal,
): Promise<Entry | undefined> {
  let deepest: Entry | undefined;
  for await (const batch of store.entries(digest)) {
    signal.throwIfAborted();
    for (const entry of batch) {
      const { path } = entry;
      const above = path === '' || wanted === path || (wanted.startsWith(path) && wanted[path.length] === '/');
      if (!above) continue;
      deepest = entry;
      if (path === wanted || entry.type === 'symlink') return entry;
    }
  }
  return deepest;
}
