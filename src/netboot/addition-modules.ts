import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { buffer } from 'node:stream/consumers';
import type { RootFileSystem } from '../machine/root-file-system.ts';
import { decompressXz } from '../native/xz.ts';
import { decompress } from '../system/decompress.ts';
import type { Processes } from '../system/run.ts';
import type { CpioEntry } from './cpio.ts';
import { DebianRoot } from './debian-root.ts';
import { type ModuleDependencies, parseModuleDependencies } from './kernel-modules.ts';

/** Modules that a file system asks the kernel's own loader for by what they do: no dependency names them. */
const askedFor: Readonly<Record<RootFileSystem, readonly string[]>> = {
  ext4: ['crc32c_generic', 'crc32c-intel', 'crc32c-cryptoapi', 'ext4'],
  xfs: ['crc32c_generic', 'crc32c-intel', 'crc32c-cryptoapi', 'xfs'],
  btrfs: [
    ...['crc32c_generic', 'crc32c-intel', 'crc32c-cryptoapi', 'xxhash_generic', 'sha256_generic', 'blake2b_generic'],
    'btrfs',
  ],
};

/** Watchdogs that machines have; udev does not load them. */
const watchdogs = ['iTCO_wdt', 'sp5100_tco', 'wdat_wdt', 'i6300esb', 'hpwdt', 'sbsa_gwdt'];

export interface AdditionModulesRequest {
  root: string;
  kernelVersion: string;
  /** Modules by which an image file becomes a root are wanted: its own file system, and the host partition's. */
  hostFileSystem?: RootFileSystem;
  processes: Processes;
  signal: AbortSignal;
}

/**
 * Kernel modules for the boot addition, uncompressed (`insmod` of the smallest systems knows no compression), each list in the order in which
 * they must be loaded: lines `NAME FILE`, `NAME` as below `/sys/module`. What is built into the kernel is in no list.
 */
export async function collectModules(
  request: AdditionModulesRequest,
): Promise<{ entries: CpioEntry[]; list: string; watchdogList: string }> {
  const root = new DebianRoot(request.root);
  const directory = `/usr/lib/modules/${request.kernelVersion}`;
  const dependencies = await readDependencies(root, directory);
  const file = request.hostFileSystem;
  const wanted = file === undefined ? [] : ['loop', ...askedFor.ext4, ...askedFor[file]];
  const list = inOrder(dependencies, wanted);
  const watchdogList = inOrder(dependencies, watchdogs);
  const entries: CpioEntry[] = [];
  for (const path of new Set([...list, ...watchdogList])) {
    const found = await root.find(`${directory}/${path}`);
    if (!found) continue;
    const content = await uncompressed(found.host, request);
    entries.push({ kind: 'file', path: `imprint/modules/${fileName(path)}`, content });
  }
  return { entries, list: renderList(list), watchdogList: renderList(watchdogList) };
}

async function readDependencies(root: DebianRoot, directory: string): Promise<ModuleDependencies> {
  const found = await root.find(`${directory}/modules.dep`);
  return parseModuleDependencies(found ? await readFile(found.host, 'utf8') : '');
}

/** The files of the modules `names` and of all that they need, what is needed first. */
function inOrder(dependencies: ModuleDependencies, names: readonly string[]): string[] {
  const paths = new Set<string>();
  for (const name of names) {
    for (const [path, needs] of dependencies) {
      if (moduleName(path) !== moduleName(name)) continue;
      // depmod lists what must come first last.
      for (const need of needs.toReversed()) paths.add(need);
      paths.add(path);
    }
  }
  return [...paths];
}

function renderList(paths: readonly string[]): string {
  return paths.map((path) => `${moduleName(path)} ${fileName(path)}\n`).join('');
}

function fileName(path: string): string {
  return basename(path).replace(/\.ko(\.\w+)?$/, '.ko');
}

/** `kernel/lib/crc32c-intel.ko.xz` → `crc32c_intel`. */
function moduleName(path: string): string {
  return basename(path)
    .replace(/\.ko(\.\w+)?$/, '')
    .replaceAll('-', '_');
}

async function uncompressed(host: string, { processes, signal }: AdditionModulesRequest): Promise<Uint8Array> {
  const content = await readFile(host);
  const compression = ({ xz: 'xz', zst: 'zstd', gz: 'gzip' } as const)[/\.ko\.(\w+)$/.exec(host)?.[1] ?? ''];
  if (compression === undefined) return content;
  // A machine that updates itself may well have no such program.
  const read = compression === 'xz' ? decompressXz(content) : undefined;
  if (read !== undefined) return read;
  const whole = (async function* () {
    yield content;
  })();
  return buffer(decompress(whole, { compression, name: basename(host), processes, signal }));
}
