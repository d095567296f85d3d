import { isoFamilies } from './iso-families.ts';
import type { IsoFamily } from './iso-family.ts';

/** The first family that fits what lies in an ISO; `paths` begin with a slash, directories among them. */
export function matchIso(paths: ReadonlySet<string>): IsoFamily | undefined {
  const list = [...paths];
  const isThere = (pattern: string) => {
    if (!pattern.includes('*')) return paths.has(pattern);
    const test = new RegExp(`^${pattern.split('*').map(quote).join('[^/]*')}$`);
    return list.some((path) => test.test(path));
  };
  return isoFamilies.find(({ has, lacks = [] }) => has.every((group) => group.some(isThere)) && !lacks.some(isThere));
}

/** The firmware that a family can be started on. */
export function firmwareOf({ entries }: IsoFamily): ('bios' | 'uefi')[] {
  return (['bios', 'uefi'] as const).filter((each) => entries.some(({ firmware }) => (firmware ?? each) === each));
}

function quote(text: string): string {
  return text.replaceAll(/[.+?^${}()|[\]\\]/g, '\\$&');
}
