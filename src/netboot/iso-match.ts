import { isoFamilies } from './iso-families.ts';
import type { IsoFamily } from './iso-family.ts';

/** The first family that fits what lies in an ISO; `paths` begin with a slash, directories among them. */
export function matchIso(paths: ReadonlySet<string>): IsoFamily | undefined {
  const isThere = (pattern: string) => firstThere(paths, [pattern]) !== undefined;
  return isoFamilies.find(({ has, lacks = [] }) => has.every((group) => group.some(isThere)) && !lacks.some(isThere));
}

/** The first of these paths that is there; `*` stands for any part of a name. */
export function firstThere(paths: ReadonlySet<string>, patterns: readonly string[]): string | undefined {
  for (const pattern of patterns) {
    if (paths.has(pattern)) return pattern;
    if (!pattern.includes('*')) continue;
    const test = new RegExp(`^${pattern.split('*').map(quote).join('[^/]*')}$`);
    for (const path of paths) if (test.test(path)) return path;
  }
  return undefined;
}

/** The firmware that a family can be started on. */
export function firmwareOf({ entries }: IsoFamily): ('bios' | 'uefi')[] {
  return (['bios', 'uefi'] as const).filter((each) => entries.some(({ firmware }) => (firmware ?? each) === each));
}

/** The directories of an ISO that tell families apart. */
export function familyDirectories(): Set<string> {
  const paths = isoFamilies.flatMap(({ has, lacks = [], entries }) => [
    ...has.flat(),
    ...lacks,
    ...entries.flatMap((entry) =>
      entry.kind === 'linux' ? [...entry.kernels, ...entry.initrds.flat()] : [entry.path],
    ),
  ]);
  return new Set(paths.map((path) => path.slice(0, path.lastIndexOf('/'))));
}

function quote(text: string): string {
  return text.replaceAll(/[.+?^${}()|[\]\\]/g, '\\$&');
}
