import type { InstalledPackage } from './package-database.ts';

/** Where apk keeps what is installed: the old place and the new. */
export const apkPaths = ['lib/apk/db/installed', 'usr/lib/apk/db/installed'] as const;

/** Packages of apk's database with their paths: `P:` name, `V:` version, `A:` architecture, `F:` directory, `R:` file in it. */
export function parseApkInstalled(text: string): { package: InstalledPackage; paths: string[] }[] {
  return text.split(/\n\n+/).flatMap((paragraph) => {
    const fields = new Map<string, string>();
    const paths: string[] = [];
    let directory = '';
    for (const line of paragraph.split('\n')) {
      const value = line.slice(2);
      if (line.startsWith('F:')) {
        directory = value;
        paths.push(value);
      } else if (line.startsWith('R:')) paths.push(directory === '' ? value : `${directory}/${value}`);
      else if (line[1] === ':') fields.set(line[0] ?? '', value);
    }
    const [name, version, architecture] = ['P', 'V', 'A'].map((field) => fields.get(field));
    if (name === undefined || version === undefined) return [];
    const found: InstalledPackage = { manager: 'apk', name, version, id: name };
    return [{ package: architecture === undefined ? found : { ...found, architecture }, paths }];
  });
}
