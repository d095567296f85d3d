import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { quoted, sizeOf, type Workshop } from './workshop.ts';

/** A program that keeps versions of trees: shell commands, and how large what it keeps has become. */
export interface Peer {
  name: string;
  /** The program that must be there, and the package that brings it. */
  program: string;
  package: string;
  /** Prepares an empty directory; undefined: nothing to do. */
  begin?(directory: string): string;
  /** Keeps a tree as the version `version`. */
  capture(directory: string, tree: string, version: string): string;
  /** Bytes of what it keeps; caches that it could do without are not counted. */
  size(directory: string): number;
}

/**
 * The four that keep several versions, each with its repository and its caches in a directory of its own. Compression is zstd at its
 * ordinary level where it can be chosen, no encryption where that can be left out.
 */
export const peers: readonly Peer[] = [
  {
    name: 'restic',
    program: 'restic',
    package: 'restic',
    begin: (directory) => `${restic(directory)} init -q --repository-version 2`,
    capture: (directory, tree) => `cd ${quoted(tree)} && ${restic(directory)} backup -q .`,
    size: (directory) => sizeOf(join(directory, 'repo')),
  },
  {
    name: 'borg',
    program: 'borg',
    package: 'borgbackup',
    begin: (directory) => `${borg(directory)} init -e none`,
    capture: (directory, tree, version) =>
      `cd ${quoted(tree)} && ${borg(directory)} create --numeric-ids --compression zstd,3 ::${version} .`,
    size: (directory) => sizeOf(join(directory, 'repo')),
  },
  {
    name: 'casync',
    program: 'casync',
    package: 'casync',
    capture: (directory, tree, version) =>
      [
        'casync make --compression=zstd',
        `--store=${quoted(join(directory, 'repo'))}`,
        `--cache=${quoted(join(directory, 'cache'))}`,
        quoted(join(directory, `${version}.caidx`)),
        quoted(tree),
      ].join(' '),
    size: (directory) => sizeOf(directory, 'cache'),
  },
  {
    name: 'ostree',
    program: 'ostree',
    package: 'ostree',
    begin: (directory) => `ostree init --repo=${quoted(join(directory, 'repo'))} --mode=archive`,
    capture: (directory, tree, version) =>
      `ostree commit --repo=${quoted(join(directory, 'repo'))} --branch=bench --subject=${version} --tree=dir=${quoted(tree)}`,
    size: (directory) => sizeOf(join(directory, 'repo')),
  },
];

/** Imprint as one of them. */
export function imprintPeer(workshop: Workshop, name: string): Peer {
  const everything = '--no-default-excludes --keep-secrets --no-snapshot';
  return {
    name: 'imprint',
    program: 'node',
    package: 'nodejs',
    capture: (_, tree) => `${workshop.ours(name)} capture ${quoted(tree)} --name bench ${everything}`,
    size: (directory) => sizeOf(join(directory, 'store'), 'hints'),
  };
}

/** Throws, saying what to install, where a program of these is missing. */
export function requirePrograms(wanted: readonly { program: string; package: string }[]): void {
  const missing = wanted.filter(({ program }) => spawnSync('which', [program]).status !== 0);
  if (missing.length === 0) return;
  const names = missing.map((peer) => peer.package).join(' ');
  throw new Error(`missing programs; install them with: ./setup --bench (or apt-get install ${names})`);
}

const restic = (directory: string) =>
  `RESTIC_PASSWORD=bench RESTIC_CACHE_DIR=${quoted(join(directory, 'cache'))} restic -r ${quoted(join(directory, 'repo'))}`;

const borg = (directory: string) =>
  [
    `BORG_BASE_DIR=${quoted(join(directory, 'cache'))}`,
    `BORG_REPO=${quoted(join(directory, 'repo'))}`,
    'BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK=yes BORG_RELOCATED_REPO_ACCESS_IS_OK=yes borg',
  ].join(' ');
