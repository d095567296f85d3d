import type { InstalledPackage } from './package-database.ts';

/** A directory for each package, with `desc` and `files`. */
export const pacmanPattern = /^var\/lib\/pacman\/local\/([^/]+)\/(desc|files)$/;

/** The sections of pacman's `desc` and `files`: `%NAME%`, then its lines up to an empty one. */
export function parsePacmanSections(text: string): Map<string, string[]> {
  const sections = new Map<string, string[]>();
  for (const block of text.split(/\n\n+/)) {
    const [head = '', ...lines] = block.split('\n').filter((line) => line !== '');
    const name = /^%([A-Z0-9]+)%$/.exec(head)?.[1];
    if (name !== undefined) sections.set(name, lines);
  }
  return sections;
}

/** The package that a `desc` describes; undefined where it names none. */
export function parsePacmanDesc(text: string): InstalledPackage | undefined {
  const sections = parsePacmanSections(text);
  const [name, version, architecture] = ['NAME', 'VERSION', 'ARCH'].map((section) => sections.get(section)?.[0]);
  if (name === undefined || version === undefined) return undefined;
  const found: InstalledPackage = { manager: 'pacman', name, version, id: name };
  return architecture === undefined ? found : { ...found, architecture };
}
