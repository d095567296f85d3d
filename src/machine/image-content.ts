import { scriptNameSchema } from '../contract/scripts.ts';
import type { RawPath } from '../foundation/brand.ts';
import type { Entry } from '../image/entry.ts';
import { imageScriptPhases, imageScriptsPath } from './scripts.ts';
import { type StoragePart, storagePart } from './storage-parts.ts';
import { compareVersions } from './version-order.ts';

/** A kernel in `/boot` and the initial RAM disk that belongs to it, both as file names in `/boot`. */
export interface BootKernel {
  version: string;
  kernel: string;
  initrd?: string;
}

/** What an image must hold to be installed, as its manifest tells. */
export interface ImageContent {
  /** Newest first. */
  kernels: BootKernel[];
  /** Path of what runs first, without a slash in front. */
  init?: string;
  systemd: boolean;
  sshServer: boolean;
  selinux: boolean;
  /** Whether it has the C library's loader that our Node needs. */
  runsNode: boolean;
  /** SSH host keys in the image, as raw paths: they are the golden machine's and go. */
  hostKeys: RawPath[];
  /** What it has for arrays, volumes and encrypted devices; absent: not looked at. */
  storage?: ReadonlySet<StoragePart>;
  /** Names of the scripts that it brings along. */
  scripts?: Partial<Record<(typeof imageScriptPhases)[number], string[]>>;
}

const systemdPaths = ['lib/systemd/systemd', 'usr/lib/systemd/systemd'];
/** Where a system's init is looked for, in this order. */
export const initPaths = [
  ...['sbin/init', 'usr/sbin/init', 'bin/init', 'usr/bin/init', 'etc/init', 'init'],
  ...systemdPaths,
];
const loaderPaths = ['lib64/ld-linux-x86-64.so.2', 'usr/lib64/ld-linux-x86-64.so.2'];
const kernelName = /^(?:vmlinuz|vmlinux|bzImage|kernel)-([\w.+~-]+)$/;
const notKernels = /\.(?:bak|old|dpkg-\w+|rpm\w+|hmac|sig|signed|config)$/;

/** Reads the manifest once. */
export async function readImageContent(entries: AsyncIterable<Entry[]>): Promise<ImageContent> {
  const inBoot: string[] = [];
  const found = new Set<string>();
  const hostKeys: RawPath[] = [];
  const storage = new Set<StoragePart>();
  const scripts: NonNullable<ImageContent['scripts']> = {};
  const wanted = new Set([...initPaths, ...loaderPaths, 'usr/sbin/sshd', 'sbin/sshd', 'etc/selinux/config']);
  for await (const batch of entries) {
    for (const { path, type } of batch) {
      const part = storagePart(path);
      if (part !== undefined) storage.add(part);
      if (path.startsWith(`${imageScriptsPath}/`) && type === 'file') noteScript(scripts, path);
      if (path.startsWith('boot/') && path.indexOf('/', 5) < 0 && type !== 'directory') inBoot.push(path.slice(5));
      else if (wanted.has(path)) found.add(path);
      else if (/^etc\/ssh\/ssh_host_[^/]*_key(\.pub|-cert\.pub)?$/.test(path)) hostKeys.push(path);
    }
  }
  const init = initPaths.find((path) => found.has(path));
  return {
    kernels: pairKernels(inBoot),
    ...(init === undefined ? {} : { init }),
    systemd: systemdPaths.some((path) => found.has(path)),
    sshServer: found.has('usr/sbin/sshd') || found.has('sbin/sshd'),
    selinux: found.has('etc/selinux/config'),
    runsNode: loaderPaths.some((path) => found.has(path)),
    hostKeys,
    storage,
    ...(Object.keys(scripts).length > 0 && { scripts }),
  };
}

function noteScript(scripts: NonNullable<ImageContent['scripts']>, path: string): void {
  const [directory = '', name = '', more] = path.slice(imageScriptsPath.length + 1).split('/');
  const phase = imageScriptPhases.find((each) => each === directory);
  if (phase === undefined || more !== undefined || !scriptNameSchema.safeParse(name).success) return;
  scripts[phase] = [...(scripts[phase] ?? []), name];
}

/**
 * Kernels among the names of `/boot`, each with its initial RAM disk, newest first. Names as Debian (`initrd.img-V`), Fedora
 * (`initramfs-V.img`), SUSE (`initrd-V`) and Arch (`initramfs-linux.img`) have them.
 */
export function pairKernels(names: readonly string[]): BootKernel[] {
  const there = new Set(names);
  return names
    .filter((name) => !notKernels.test(name))
    .flatMap((name): BootKernel[] => {
      const version = kernelName.exec(name)?.[1];
      if (version === undefined) return [];
      const initrd = [
        `initrd.img-${version}`,
        `initramfs-${version}.img`,
        `initrd-${version}`,
        `initrd-${version}.img`,
      ];
      const found = initrd.find((candidate) => there.has(candidate));
      return [{ version, kernel: name, ...(found === undefined ? {} : { initrd: found }) }];
    })
    .sort((left, right) => rank(left) - rank(right) || compareVersions(right.version, left.version));
}

/** Rescue kernels last: they are no default, however their names sort. */
function rank(kernel: BootKernel): number {
  return /rescue|fallback/.test(kernel.version) ? 1 : 0;
}
