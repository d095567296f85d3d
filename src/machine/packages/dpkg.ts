import type { InstalledPackage } from './package-database.ts';

/** Where dpkg keeps what is installed; see dpkg-query(1). */
export const dpkgStatusPath = 'var/lib/dpkg/status';
/** Lists of files: `PACKAGE.list`, or `PACKAGE:ARCHITECTURE.list` for `Multi-Arch: same`. */
export const dpkgListPattern = /^var\/lib\/dpkg\/info\/([^/]+)\.list$/;

/** The packages of `status` that are unpacked or installed; those of which only configuration files are left do not count. */
export function parseDpkgStatus(text: string): InstalledPackage[] {
  const packages: InstalledPackage[] = [];
  for (const paragraph of text.split(/\n\n+/)) {
    const fields = new Map<string, string>();
    for (const line of paragraph.split('\n')) {
      const match = /^([A-Za-z-]+): ?(.*)$/.exec(line);
      if (match?.[1] !== undefined) fields.set(match[1].toLowerCase(), match[2] ?? '');
    }
    const [name, version, status] = ['package', 'version', 'status'].map((field) => fields.get(field));
    if (name === undefined || version === undefined || version === '') continue;
    const state = status?.split(' ')[2];
    if (state === 'not-installed' || state === 'config-files') continue;
    const architecture = fields.get('architecture');
    const several = fields.get('multi-arch') === 'same' && architecture !== undefined;
    packages.push({
      manager: 'dpkg',
      name,
      version,
      ...(architecture === undefined ? {} : { architecture }),
      id: several ? `${name}:${architecture}` : name,
    });
  }
  return packages;
}
