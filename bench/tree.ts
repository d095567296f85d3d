import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { rawPath } from '../src/foundation/brand.ts';
import { walk } from '../src/tree/walk.ts';

/** How large a tree is. */
export interface TreeSize {
  files: number;
  entries: number;
  /** Content, every hard link once, holes left out. */
  bytes: number;
}

const wantedFiles = 61_000;
const wantedBytes = 2_050_000_000;

/** A Debian with large packages: what is installed where the machine's own `/usr` is too small. */
const packages = [
  'systemd-sysv',
  'openssh-server',
  'linux-image-amd64',
  'nginx',
  'postgresql',
  'openjdk-17-jdk-headless',
  'gcc',
  'clang',
  'rustc',
  'golang',
  'python3-dev',
  'emacs-nox',
  'texlive-latex-recommended',
  'firmware-linux-free',
  'vim',
  'git',
];

/**
 * The tree that is measured, in `cache`: more than 60,000 files and 2 GB of a real Linux system. Made once: a copy of parts of
 * this machine's `/usr`, or where that is too small a Debian by mmdebstrap.
 */
export function prepareTree(cache: string, say: (message: string) => void): string {
  const tree = join(cache, 'tree');
  if (existsSync(tree)) return tree;
  mkdirSync(cache, { recursive: true });
  const making = join(cache, 'tree.making');
  rmSync(making, { recursive: true, force: true });
  const parts = selectParts('/usr');
  if (parts !== undefined) {
    say(`copying ${parts.length} directories of /usr to ${tree}`);
    for (const part of parts) {
      const target = join(making, part, '..');
      mkdirSync(target, { recursive: true });
      execFileSync('cp', ['-a', part, target]);
    }
  } else {
    say(`building a Debian in ${tree} by mmdebstrap, once`);
    execFileSync('mmdebstrap', ['--variant=apt', `--include=${packages.join(',')}`, 'stable', making], {
      stdio: 'inherit',
    });
  }
  renameSync(making, tree);
  return tree;
}

/** Counts a tree. */
export function measureTree(tree: string): TreeSize {
  const size = { files: 0, entries: 0, bytes: 0 };
  const seen = new Set<string>();
  for (const { status } of walk(rawPath(tree))) {
    size.entries += 1;
    if ((status.mode & 0o170000) !== 0o100000) continue;
    size.files += 1;
    const key = `${status.device}:${status.inode}`;
    if (status.links > 1 && seen.has(key)) continue;
    if (status.links > 1) seen.add(key);
    size.bytes += Math.min(status.size, status.blocks * 512);
  }
  return size;
}

/** Directories two levels down, in order, until there is enough; undefined where there is not. */
function selectParts(top: string): string[] | undefined {
  const chosen: string[] = [];
  let files = 0;
  let bytes = 0;
  for (const first of ['bin', 'include', 'lib', 'share', 'sbin', 'libexec', 'src', 'local']) {
    if (!existsSync(join(top, first))) continue;
    const names = first === 'lib' || first === 'share' ? readdirSync(join(top, first)).sort() : [''];
    for (const name of names) {
      const part = join(top, first, name);
      const size = measurePart(part);
      // One directory that is most of the tree would not be like a system.
      if (size.bytes > wantedBytes / 4) continue;
      chosen.push(part);
      files += size.files;
      bytes += size.bytes;
      if (files > wantedFiles && bytes > wantedBytes) return chosen;
    }
  }
  return undefined;
}

function measurePart(part: string): TreeSize {
  try {
    return measureTree(part);
  } catch {
    // A plain file or something that went away.
    return { files: 1, entries: 1, bytes: 0 };
  }
}
