import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ImprintError } from '../foundation/errors.ts';
import {
  type AptSource,
  debianSources,
  parseDeb822Sources,
  parseSourcesList,
  renderAptSource,
} from '../machine/apt-sources.ts';
import { type Processes, systemProcesses } from './run.ts';

/** Where packages of a Debian suite come from, in the words of mmdebstrap's command line. */
export interface DebianMirror {
  /** Lines of `sources.list`: mmdebstrap's last arguments. Empty: its own default mirror. */
  sources: string[];
  /**
   * How this machine reaches them: its proxies, certificates, retries and date checks, each as `--aptopt=…`. mmdebstrap leaves these
   * in the new system's `/etc/apt/apt.conf.d/99mmdebstrap`: remove that file where the system outlives the build.
   */
  aptOptions: string[];
}

/** Settings of apt that decide how packages are fetched, not which. */
const fetchSettings = /^Acquire::(https?::|ftp::|Retries|ForceIPv|Check-(Date|Valid-Until))/i;

/**
 * Finds a mirror of Debian's `suite`: what this machine's own apt is set up to use; mmdebstrap's own default where it has none of that suite.
 *
 * @param suite `bookworm`, `trixie`.
 * @param etc apt's configuration directory.
 */
export async function findDebianMirror(
  suite: string,
  { etc = '/etc/apt', processes = systemProcesses }: { etc?: string; processes?: Processes } = {},
): Promise<DebianMirror> {
  const sources = debianSources(await readAptSources(etc), suite);
  return { sources: sources.map(renderAptSource), aptOptions: await fetchOptions(processes) };
}

async function readAptSources(etc: string): Promise<AptSource[]> {
  const parts = join(etc, 'sources.list.d');
  const names = (await readdir(parts).catch(() => [])).sort();
  const files = [join(etc, 'sources.list'), ...names.map((name) => join(parts, name))];
  const parsed = await Promise.all(
    files.map(async (file) => {
      const parse = file.endsWith('.sources')
        ? parseDeb822Sources
        : file.endsWith('.list')
          ? parseSourcesList
          : undefined;
      return parse === undefined ? [] : parse(await readFile(file, 'utf8').catch(() => ''));
    }),
  );
  return parsed.flat();
}

/** Empty where this machine has no apt: mmdebstrap brings its own defaults. */
async function fetchOptions(processes: Processes): Promise<string[]> {
  try {
    const { stdout } = await processes.run('apt-config', ['dump', '--format', '%F "%v";%n'], { timeout: 20_000 });
    return stdout
      .split('\n')
      .filter((line) => fetchSettings.test(line) && !line.endsWith(' "";'))
      .map((line) => `--aptopt=${line}`);
  } catch (thrown) {
    if (thrown instanceof ImprintError && thrown.code === 'tool-missing') return [];
    throw thrown;
  }
}
