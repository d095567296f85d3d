import { join, resolve } from 'node:path';

/** Where things lie below the data directory; all paths are absolute. */
export interface DataPaths {
  readonly data: string;
  readonly keys: string;
  /** What is trusted, and what was seen (`docs/trust.md`). */
  readonly trust: string;
  /** Mode 0600: whoever may read it may do everything the API offers. */
  readonly adminToken: string;
  /** URL and process of the running server; there only while it runs. */
  readonly serverFile: string;
  readonly databaseFile: string;
  /** What makes machines themselves, where the server keeps it: `MACHINE/N.object`. Mode 0700: keys are in it. */
  readonly objects: string;
  /** Passphrases of ordered installs, until they are done: `MACHINE`. Mode 0700, files 0600. */
  readonly passphrases: string;
  /** Safety copies of what makes machines boot: `MACHINE/N.tar.gz`. Mode 0700. */
  readonly bootCopies: string;
  /** What installs and first boots run: `PHASE/all/NAME`, `PHASE/group/GROUP/NAME`, … Mode 0700: whoever writes there owns every machine. */
  readonly scripts: string;
  /** `vmlinuz`, `initrd.img` and the TFTP directory. */
  readonly netboot: string;
  /** Where file systems of versions are made, while they are (`imprint image live`). Mode 0700: whole systems are in it. */
  readonly live: string;
  /** What live starts of a version read first: `DIGEST.json`. */
  readonly liveFrames: string;
  /** Generated configuration, leases and hosts. */
  readonly dnsmasq: string;
}

export const defaultDataDirectory = '/var/lib/imprint';

/** The data directory's parts, by their names (`docs/server.md`). */
export function dataPaths(directory: string): DataPaths {
  const data = resolve(directory);
  return {
    data,
    keys: join(data, 'keys'),
    trust: join(data, 'trust'),
    adminToken: join(data, 'admin-token'),
    serverFile: join(data, 'server.json'),
    databaseFile: join(data, 'imprint.db'),
    objects: join(data, 'objects'),
    passphrases: join(data, 'passphrases'),
    bootCopies: join(data, 'boot-copies'),
    scripts: join(data, 'scripts'),
    netboot: join(data, 'netboot'),
    live: join(data, 'live'),
    liveFrames: join(data, 'live-frames'),
    dnsmasq: join(data, 'dnsmasq'),
  };
}
