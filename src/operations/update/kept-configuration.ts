import { readFileSync } from 'node:fs';
import { mkdir, open, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { type Digest, type RawPath, rawPath } from '../../foundation/brand.ts';
import type { Entry } from '../../image/entry.ts';
import { agentPaths } from '../../machine/installed-layout.ts';
import { isFile } from '../../native/status.ts';
import { renameDurably, writing } from '../../store/durable.ts';
import { rootFiles } from '../../system/root-files.ts';
import { ContentCheck } from '../../tree/check-content.ts';
import { hexOf } from '../../tree/converge-writer.ts';
import { hasTime } from '../../tree/entry-attributes.ts';
import { entriesOfBase } from './in-place/base-entries.ts';
import { look } from './in-place/root-paths.ts';
import type { LocalBase } from './update-content.ts';

/** Where it is kept, relative to the root. Readable by root alone: it holds what `/etc/shadow` was. */
export const keptConfigurationPath = `${agentPaths.state}/configuration`;

/** What machines change of their own: configuration, which is merged, and what only grows. */
const changing = /^(etc|var\/log|var\/lib\/systemd)\//;
/** Files that are longer are not merged. */
const longest = 256 << 10;
/** Of all together. */
const mostBytes = 64 << 20;

interface Kept {
  digest: string;
  /** By the hash of the one chunk of a file: its content in base64. */
  files: Record<string, string>;
}

/**
 * Keeps what the version has in `/etc` and of logs, as far as it is there: when somebody has edited a file, what it was before is nowhere else on the machine;
 * without it nothing can be merged, and an update would have to fetch it again. Does nothing where that is kept already. Errors: `disk-full`, `read-only`, `corrupt-manifest`, `io-failed`.
 */
export async function keepConfiguration(base: LocalBase): Promise<void> {
  if (readKept(base.root)?.digest === base.digest) return;
  const check = new ContentCheck();
  const kept = await renderConfiguration(base.digest, entriesOfBase(base), async (entry) => {
    const path = `${rawPath(base.root).replace(/\/+$/, '')}/${entry.path}` as RawPath;
    const found = look(path);
    if (found === undefined || !isFile(found.mode) || found.size !== entry.size || !hasTime(entry, found))
      return undefined;
    return check.differing(path, entry)?.length === 0 ? readFile(Buffer.from(path, 'latin1')) : undefined;
  });
  // A link for /var must not lead out of a root that is only mounted.
  const state = await rootFiles(base.root).resolve(agentPaths.state);
  const place = join(state, basename(keptConfigurationPath));
  await writing(place, async () => {
    await mkdir(state, { recursive: true });
    {
      await using handle = await open(`${place}.new`, 'w', 0o600);
      await handle.writeFile(kept);
      await handle.sync();
    }
    await renameDurably(`${place}.new`, place);
  });
}

/** What is kept of a version's configuration. `read` gives a file's content, where it is known. */
export async function renderConfiguration(
  digest: Digest,
  entries: AsyncIterable<Entry[]>,
  read: (entry: Entry, hash: string) => Promise<Uint8Array | undefined>,
): Promise<Buffer> {
  const files: Record<string, string> = {};
  let bytes = 0;
  for await (const batch of entries) {
    for (const entry of batch) {
      const [chunk, more] = entry.chunks ?? [];
      if (!changing.test(entry.path) || entry.type !== 'file' || chunk === undefined || more !== undefined) continue;
      if (chunk.length > longest || entry.segments !== undefined || bytes > mostBytes) continue;
      const hash = hexOf(chunk.hash);
      const content = files[hash] === undefined ? await read(entry, hash) : undefined;
      if (content === undefined) continue;
      bytes += content.length;
      files[hash] = Buffer.from(content).toString('base64');
    }
  }
  return gzipSync(JSON.stringify({ digest, files } satisfies Kept));
}

/** Gives what was kept by the hash of its chunk (64 hexadecimal digits), unchecked; what was not is undefined. It is read when something is asked for. */
export function readKeptConfiguration(root: string): (hash: string) => Uint8Array | undefined {
  let files: Kept['files'] | undefined;
  return (hash) => {
    files ??= readKept(root)?.files ?? {};
    const text = files[hash];
    return text === undefined ? undefined : Buffer.from(text, 'base64');
  };
}

function readKept(root: string): Kept | undefined {
  try {
    const text = gunzipSync(readFileSync(join(root, keptConfigurationPath))).toString('utf8');
    const { digest, files } = JSON.parse(text);
    return typeof digest === 'string' && typeof files === 'object' && files !== null ? { digest, files } : undefined;
  } catch {
    // Not there, or damaged: it is made again.
    return undefined;
  }
}
