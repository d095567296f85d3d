import type { InstalledPackage } from './package-database.ts';

/** Where rpm keeps its database (SQLite, since 4.16): the old place and the new. */
export const rpmPaths = ['var/lib/rpm/rpmdb.sqlite', 'usr/lib/sysimage/rpm/rpmdb.sqlite'] as const;

const tags = {
  name: 1000,
  version: 1001,
  release: 1002,
  epoch: 1003,
  architecture: 1022,
  dirIndexes: 1116,
  baseNames: 1117,
  dirNames: 1118,
} as const;
const types = { int32: 4, string: 6, stringArray: 8, translated: 9 } as const;
/** No header has more entries: what bounds the work on a broken one. */
const mostEntries = 1 << 16;

/**
 * One package from the `blob` column of rpm's table `Packages`: a header as rpm(8) keeps it. Two big-endian 32-bit numbers, how many
 * entries and how many bytes of data; 16 bytes for each entry (tag, type, offset in the data, count); the data. Undefined
 * where it is no such thing. Source: the format of headers in the RPM reference manual.
 */
export function parseRpmHeader(blob: Uint8Array): { package: InstalledPackage; paths: string[] } | undefined {
  const view = new DataView(blob.buffer, blob.byteOffset, blob.byteLength);
  if (blob.byteLength < 8) return undefined;
  const entries = view.getUint32(0);
  const dataAt = 8 + entries * 16;
  const end = dataAt + view.getUint32(4);
  if (entries > mostEntries || end > blob.byteLength) return undefined;
  const places = new Map<number, { type: number; at: number; count: number }>();
  for (let index = 0; index < entries; index += 1) {
    const at = 8 + index * 16;
    places.set(view.getUint32(at), {
      type: view.getUint32(at + 4),
      at: dataAt + view.getUint32(at + 8),
      count: view.getUint32(at + 12),
    });
  }
  const strings = (tag: number): string[] => {
    const place = places.get(tag);
    if (place === undefined || !([types.string, types.stringArray, types.translated] as number[]).includes(place.type))
      return [];
    const found: string[] = [];
    let from = place.at;
    while (found.length < place.count && from < end) {
      const zero = blob.indexOf(0, from);
      if (zero < 0 || zero >= end) break;
      found.push(Buffer.from(blob.subarray(from, zero)).toString('latin1'));
      from = zero + 1;
    }
    return found;
  };
  const numbers = (tag: number): number[] => {
    const place = places.get(tag);
    if (place?.type !== types.int32 || place.at + place.count * 4 > end) return [];
    return Array.from({ length: place.count }, (_, index) => view.getUint32(place.at + index * 4));
  };
  const [name] = strings(tags.name);
  const [version] = strings(tags.version);
  const [release] = strings(tags.release);
  if (name === undefined || version === undefined || release === undefined) return undefined;
  const [epoch] = numbers(tags.epoch);
  const [architecture] = strings(tags.architecture);
  const directories = strings(tags.dirNames);
  const indexes = numbers(tags.dirIndexes);
  const paths = strings(tags.baseNames).map((base, index) => `${directories[indexes[index] ?? -1] ?? '/'}${base}`);
  const full = `${epoch === undefined || epoch === 0 ? '' : `${epoch}:`}${version}-${release}`;
  const found: InstalledPackage = {
    manager: 'rpm',
    name,
    version: full,
    id: architecture === undefined ? name : `${name}.${architecture}`,
  };
  return { package: architecture === undefined ? found : { ...found, architecture }, paths };
}
