import { readFile } from 'node:fs/promises';
import { ByteReader } from '../image/byte-reader.ts';
import { compressionOf } from '../image/content-kind.ts';
import type { InitramfsKind } from '../machine/boot-arguments.ts';
import { decompress } from '../system/decompress.ts';
import { rootFiles } from '../system/root-files.ts';
import { type Processes, systemProcesses } from '../system/run.ts';

/** What an initrd holds, as far as it matters for booting. */
export interface InitramfsFacts {
  kind: InitramfsKind;
  /** Names of its kernel modules, as below `/sys/module`: `virtio_blk`. */
  modules: ReadonlySet<string>;
}

export interface DetectOptions {
  processes?: Processes;
  signal?: AbortSignal;
}

/**
 * Which program made the initrd at `path` (relative to `root`; links are followed within it), and which modules are in it; undefined where
 * it is none that we know, or none at all. An initrd is archives one after another, of which only the last may be compressed here.
 * Errors: `archive-damaged`, `tool-missing` (xz, lz4 …), `io-failed`.
 */
export async function detectInitramfs(
  root: string,
  path: string,
  options: DetectOptions = {},
): Promise<InitramfsFacts | undefined> {
  const content = await readFile(await rootFiles(root).resolve(path));
  const modules = new Set<string>();
  let kind: InitramfsKind | undefined;
  for await (const name of initramfsNames(content, path, options)) {
    const module = /(?:^|\/)lib\/modules\/.*\/([^/]+)\.ko(?:\.\w+)?$/.exec(name)?.[1];
    if (module !== undefined) modules.add(module.replaceAll('-', '_'));
    if (name === 'scripts/local') kind ??= 'initramfs-tools';
    if (/^(usr\/)?lib\/dracut|^var\/lib\/dracut\/hooks/.test(name)) kind ??= 'dracut';
  }
  return kind === undefined ? undefined : { kind, modules };
}

/** Names of all entries of an initrd, without `./` in front. What comes after damage is left out. */
async function* initramfsNames(
  content: Buffer,
  name: string,
  { processes = systemProcesses, signal = new AbortController().signal }: DetectOptions,
): AsyncGenerator<string, void, void> {
  let at = 0;
  while (at < content.length) {
    if (content[at] === 0) {
      at += 1;
      continue;
    }
    const rest = content.subarray(at);
    const compression = compressionOf(rest);
    const reader = new ByteReader(
      compression ? decompress(once(rest), { compression, name, processes, signal }) : once(rest),
    );
    try {
      yield* archiveNames(reader);
    } finally {
      await reader.close();
    }
    if (compression !== undefined || reader.offset === 0) return;
    at += reader.offset;
  }
}

/** Names in one archive of the format “newc”; ends after its last entry, or at what is no entry. */
async function* archiveNames(reader: ByteReader): AsyncGenerator<string, void, void> {
  for (;;) {
    const header = (await reader.exactly(110))?.toString('latin1');
    if (header === undefined || !/^07070[12][0-9a-fA-F]{104}$/.test(header)) return;
    const field = (index: number) => Number.parseInt(header.slice(6 + index * 8, 14 + index * 8), 16);
    const nameLength = field(11);
    const name = await reader.exactly(nameLength + padded(110 + nameLength));
    const size = field(6);
    if (name === undefined || !(await reader.skip(size + padded(size)))) return;
    const text = name.toString('latin1', 0, Math.max(0, nameLength - 1));
    if (text === 'TRAILER!!!') return;
    yield text.replace(/^\.?\//, '');
  }
}

function padded(length: number): number {
  return (4 - (length % 4)) % 4;
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, void> {
  yield bytes;
}
