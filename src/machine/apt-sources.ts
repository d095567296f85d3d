/** One place that apt fetches packages from, as `sources.list(5)` describes it. */
export interface AptSource {
  uri: string;
  suite: string;
  components: string[];
  /** Options in brackets, lower case: `signed-by`, `trusted`, `arch` … An embedded key (deb822) is left out. */
  options: Record<string, string>;
}

/**
 * The sources of Debian's `suite` (`bookworm`) among those that a machine uses: the suite itself, its `-updates` and its
 * `-security`, component `main` only. Third parties that name their suites alike are left out. Empty where the suite itself is
 * missing (an Ubuntu machine, say): mmdebstrap then takes Debian's own mirror, with updates and security.
 */
export function debianSources(sources: readonly AptSource[], suite: string): AptSource[] {
  const wanted = new Set([suite, `${suite}-updates`, `${suite}-security`]);
  const ours = sources
    .filter((source) => wanted.has(source.suite) && source.components.includes('main') && isDebian(source))
    .map((source) => ({ ...source, components: ['main'] }));
  if (ours.some((source) => source.suite === suite)) return withoutRepeats(ours);
  return [];
}

/** A source as one line of `sources.list`, which is also what mmdebstrap takes as a mirror. */
export function renderAptSource({ uri, suite, components, options }: AptSource): string {
  const kept = Object.entries(options).filter(([name]) => name === 'signed-by' || name === 'trusted');
  const brackets = kept.length === 0 ? '' : `[${kept.map(([name, value]) => `${name}=${value}`).join(' ')}] `;
  return `deb ${brackets}${uri} ${suite} ${components.join(' ')}`;
}

/** The sources in a `.list` file: one line each; `deb-src`, comments and lines that make no sense are left out. */
export function parseSourcesList(text: string): AptSource[] {
  return text.split('\n').flatMap((line) => {
    const match = /^\s*deb\s+(?:\[([^\]]*)\]\s+)?(?!cdrom:)(\S+)\s+(\S+)\s+([^#]+)/.exec(line);
    const [, brackets = '', uri, suite, components] = match ?? [];
    if (uri === undefined || suite === undefined || components === undefined) return [];
    const options = brackets.split(/\s+/).flatMap((word) => {
      const equals = word.indexOf('=');
      return equals < 1 ? [] : [[word.slice(0, equals).toLowerCase(), word.slice(equals + 1)]];
    });
    return [{ uri, suite, components: components.trim().split(/\s+/), options: Object.fromEntries(options) }];
  });
}

/** The sources in a deb822 `.sources` file: one for each pair of URI and suite of each enabled stanza. */
export function parseDeb822Sources(text: string): AptSource[] {
  const withoutComments = text.split('\n').filter((line) => !line.startsWith('#'));
  return withoutComments
    .join('\n')
    .split(/\n[ \t]*\n/)
    .flatMap((stanza) => {
      const fields = deb822Fields(stanza);
      const words = (name: string) => (fields.get(name) ?? '').split(/\s+/).filter((word) => word !== '');
      if (!words('types').includes('deb') || /^(no|false|off|0)$/i.test(fields.get('enabled') ?? '')) return [];
      const options: Record<string, string> = {};
      const signedBy = fields.get('signed-by') ?? '';
      if (/^\/\S+$/.test(signedBy)) options['signed-by'] = signedBy;
      const trusted = fields.get('trusted');
      if (trusted !== undefined) options.trusted = trusted;
      return words('uris').flatMap((uri) =>
        words('suites').map((suite) => ({ uri, suite, components: words('components'), options })),
      );
    });
}

function deb822Fields(stanza: string): Map<string, string> {
  const fields = new Map<string, string>();
  for (const field of stanza.split(/\n(?![ \t])/)) {
    const colon = field.indexOf(':');
    if (colon > 0) {
      const value = field.slice(colon + 1).replaceAll(/\s*\n\s+/g, ' ');
      fields.set(field.slice(0, colon).trim().toLowerCase(), value.trim());
    }
  }
  return fields;
}

/** Signed by Debian's keyring; or signed by nobody in particular and named as Debian's mirrors are. */
function isDebian({ uri, options }: AptSource): boolean {
  const signedBy = options['signed-by'];
  if (signedBy !== undefined) return /debian-archive/.test(signedBy);
  return /debian/i.test(uri);
}

function withoutRepeats(sources: AptSource[]): AptSource[] {
  const seen = new Set<string>();
  return sources.filter((source) => {
    const key = `${source.uri.replace(/\/+$/, '')} ${source.suite}`;
    return !seen.has(key) && seen.add(key);
  });
}
