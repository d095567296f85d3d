import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { findDebianMirror } from '../../src/system/debian-mirror.ts';
import { systemProcesses } from '../../src/system/run.ts';
import { cached, locked } from './cache.ts';

const suite = 'bookworm';
/** Packages that had security updates since the release: openssl had several. */
const packages = ['openssl', 'ca-certificates'];

/** One small Debian at two security levels; trees in the cache, to be read only. */
export interface SecurityLevels {
  /** As the release has it, without `-security` and `-updates`. */
  readonly released: string;
  readonly updated: string;
}

/** Both trees, made at the first call (about a minute) and cached. */
export async function securityLevels(): Promise<SecurityLevels> {
  const directory = await locked('levels', () => cached('levels', [suite, ...packages, '1'], build));
  return { released: join(directory, 'released'), updated: join(directory, 'updated') };
}

async function build(directory: string): Promise<void> {
  // What apt is told to use when it is set up, before it fetches the first list.
  const releaseOnly = `--setup-hook=sed -i -e '/${suite}-security/d' -e '/${suite}-updates/d' "$1"/etc/apt/sources.list`;
  await bootstrap(join(directory, 'released'), [releaseOnly]);
  await bootstrap(join(directory, 'updated'), []);
}

async function bootstrap(tree: string, options: readonly string[]): Promise<void> {
  const mirror = await findDebianMirror(suite);
  await mkdir(tree);
  await systemProcesses.run(
    'mmdebstrap',
    [
      ...['--mode=root', '--variant=minbase', '--format=directory', '--quiet', ...options],
      ...[`--include=${packages.join(',')}`, ...mirror.aptOptions, suite, tree, ...mirror.sources],
    ],
    { timeout: 600_000 },
  );
  await rm(join(tree, 'etc/apt/apt.conf.d/99mmdebstrap'), { force: true });
}
