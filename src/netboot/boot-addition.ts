import { access, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { ImprintError } from '../foundation/errors.ts';
import type { InitramfsKind } from '../machine/boot-arguments.ts';
import { identityPaths } from '../machine/carried-state.ts';
import type { StackFile } from '../machine/installed-stack.ts';
import type { RootFileSystem } from '../machine/root-file-system.ts';
import { type Processes, systemProcesses } from '../system/run.ts';
import { collectModules } from './addition-modules.ts';
import { buildCpio, type CpioEntry, padding } from './cpio.ts';
import { collectPrograms } from './image-programs.ts';

export interface BootAdditionRequest {
  /** The image's tree: its programs, libraries and kernel modules are what the addition is made of. */
  root: string;
  /** Another tree whose programs are taken, where `root` is a part of one (an update in place). */
  programs?: string;
  /** Kernel that the entry boots, as below `/lib/modules`. */
  kernelVersion: string;
  initramfs: InitramfsKind;
  purpose: 'partition' | 'file' | 'in-place';
  /** Of the host partition; for `file`. */
  hostFileSystem?: RootFileSystem;
  /** What the image's own initramfs is to read of this machine's devices (`initramfsFiles`). */
  files?: readonly StackFile[];
  processes?: Processes;
  signal?: AbortSignal;
}

/** What the scripts use, beside what every shell has built in. */
const programs = [
  ...['sh', 'mount', 'umount', 'losetup', 'blkid'],
  ...['cat', 'chmod', 'cp', 'ln', 'mkdir', 'mv', 'rm', 'rmdir', 'sleep', 'sync', 'readlink'],
];

/** Scripts in `boot/`, and where they stand in the archive. */
const scripts = [
  ['addition/boot.sh', 'imprint/boot.sh'],
  ['addition/words.sh', 'imprint/words.sh'],
  ['addition/object.sh', 'imprint/object.sh'],
  ['addition/trial.sh', 'imprint/trial.sh'],
  ['addition/guard.sh', 'imprint/guard.sh'],
  ['addition/pointer.sh', 'imprint/pointer.sh'],
  ['addition/agentless.sh', 'imprint/agentless.sh'],
  ['in-place/in-place.sh', 'imprint/in-place.sh'],
] as const;

/** How an initramfs comes to start `/imprint/start`. dracut had its hooks below `/lib` (a link) first, and has them below `/var/lib` now. */
const hooks = [
  ['addition/initramfs-tools', 'scripts/imprint'],
  ...['usr/lib', 'var/lib'].flatMap((place) => [
    ['addition/dracut-cmdline.sh', `${place}/dracut/hooks/cmdline/04-imprint.sh`] as const,
    ['addition/dracut-mount.sh', `${place}/dracut/hooks/mount/04-imprint.sh`] as const,
    ['addition/dracut-pre-pivot.sh', `${place}/dracut/hooks/pre-pivot/04-imprint.sh`] as const,
  ]),
] as const;

/**
 * The second initrd of an entry (docs/boot-addition.md): an archive of scripts of ours, and of what they need of the image's own. It is
 * loaded after the image's own initrd, which stays as it is. The same request over the same tree gives the same bytes.
 * Errors: `image-unfit` where the image has none of the programs that are needed; `io-failed`, `interrupted`.
 */
export async function buildBootAddition(request: BootAdditionRequest): Promise<Uint8Array> {
  const { root, kernelVersion, purpose, hostFileSystem } = request;
  const source = await scriptDirectory();
  const entries: CpioEntry[] = [];
  const add = (path: string, content: string | Uint8Array, mode = 0o644) =>
    entries.push({ kind: 'file', path, content: Buffer.from(content), mode });
  for (const [name, path] of [...scripts, ...hooks]) add(path, await readFile(join(source, name)), 0o755);
  const collected = await collectPrograms({
    root: request.programs ?? root,
    place: '/imprint',
    required: programs,
    optional: ['chattr'],
  });
  const modules = await collectModules({
    root,
    kernelVersion,
    ...(purpose === 'file' && { hostFileSystem: hostFileSystem ?? 'ext4' }),
    processes: request.processes ?? systemProcesses,
    signal: request.signal ?? new AbortController().signal,
  });
  entries.push(...collected.entries, ...modules.entries);
  add('imprint/tools', collected.functions);
  add('imprint/modules/list', modules.list);
  add('imprint/modules/watchdogs', modules.watchdogList);
  add('imprint/settings', purpose === 'file' ? `host_type=${hostFileSystem ?? ''}\n` : '');
  add('imprint/object-paths', identityPaths.map((path) => `${path}\n`).join(''));
  for (const { path, content } of request.files ?? []) add(path, content, 0o600);
  const loader = collected.command('sh').split(' ')[0] ?? '';
  // The guard is told from other processes by its name, which is that of the loader that starts it.
  if (loader.startsWith('/imprint/lib/')) {
    const linked = entries.find(({ path }) => `/${path}` === loader);
    if (linked?.kind === 'file') add('imprint/guard/@imprint-guard', linked.content, 0o755);
  }
  // The initramfs's own shell may be any; ours is the image's.
  add('imprint/start', `#!/bin/sh\nexec ${collected.command('sh')} /imprint/boot.sh "$@"\n`, 0o755);
  // gzip is what every kernel can unpack.
  const archive = gzipSync(Buffer.concat(buildCpio(entries, 0)), { level: 6 });
  return Buffer.concat([archive, padding(archive.length)]);
}

/** `boot`, beside the sources or the bundle, whichever this runs from. */
async function scriptDirectory(): Promise<string> {
  for (let at = import.meta.dirname; ; at = dirname(at)) {
    const found = await access(join(at, 'boot/addition/boot.sh')).then(
      () => true,
      () => false,
    );
    if (found) return join(at, 'boot');
    if (at === dirname(at)) break;
  }
  throw new ImprintError('internal', { problem: 'the directory boot/addition of the program is missing' });
}
