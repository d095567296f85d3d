import type { ExtendedAttribute } from './entry.ts';

/** Records of a pax header: keyword → value, both latin1 of their bytes. GNU's sparse 0.0 repeats two keywords: kept in `repeated`. */
export interface PaxRecords {
  values: Map<string, string>;
  repeated: [keyword: string, value: string][];
}

const repeating = new Set(['GNU.sparse.offset', 'GNU.sparse.numbytes']);
const attributePrefix = 'SCHILY.xattr.';
const libarchivePrefix = 'LIBARCHIVE.xattr.';
const selinuxKeyword = 'RHT.security.selinux';

/**
 * The records of a pax extended header, `LENGTH KEYWORD=VALUE\n` each, the length counting itself. A value may hold any
 * bytes, newlines too. Undefined where the bytes are not such records.
 */
export function parsePaxRecords(bytes: Buffer): PaxRecords | undefined {
  const records: PaxRecords = { values: new Map(), repeated: [] };
  let at = 0;
  while (at < bytes.length) {
    const space = bytes.indexOf(0x20, at);
    if (space < 0 || space - at > 10) return undefined;
    const digits = bytes.toString('latin1', at, space);
    const end = at + Number(digits);
    if (!/^\d+$/.test(digits) || end > bytes.length || bytes[end - 1] !== 0x0a) return undefined;
    const equals = bytes.indexOf(0x3d, space);
    if (equals < 0 || equals >= end) return undefined;
    const keyword = bytes.toString('latin1', space + 1, equals);
    const value = bytes.toString('latin1', equals + 1, end - 1);
    if (repeating.has(keyword)) records.repeated.push([keyword, value]);
    else records.values.set(keyword, value);
    at = end;
  }
  return records;
}

/**
 * The extended attributes among pax records, sorted by name. GNU tar writes `=` in a name as `%3D` and `%` as `%25`;
 * with `--xattrs-include='*'` ACLs are among them in the kernel's binary form. What bsdtar (base64, the name as in a URL) and
 * `tar --selinux` write counts where there is no record of the first kind.
 */
export function paxAttributes(values: ReadonlyMap<string, string>): ExtendedAttribute[] {
  const attributes = new Map<string, Uint8Array>();
  for (const [keyword, value] of values) {
    if (keyword === selinuxKeyword) attributes.set('security.selinux', Buffer.from(`${value}\0`, 'latin1'));
    if (!keyword.startsWith(libarchivePrefix)) continue;
    const name = keyword
      .slice(libarchivePrefix.length)
      .replaceAll(/%([0-9A-Fa-f]{2})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 16)));
    attributes.set(name, Buffer.from(value, 'base64'));
  }
  for (const [keyword, value] of values) {
    if (!keyword.startsWith(attributePrefix)) continue;
    const name = keyword.slice(attributePrefix.length).replaceAll('%3D', '=').replaceAll('%25', '%');
    attributes.set(name, Buffer.from(value, 'latin1'));
  }
  return [...attributes]
    .map(([name, value]) => ({ name, value }))
    .sort((left, right) => (left.name < right.name ? -1 : left.name > right.name ? 1 : 0));
}

/** True where a member has an ACL that is written as text alone (`tar --acls`), with names of users that only its machine knows. */
export function hasTextAcl(values: ReadonlyMap<string, string>): boolean {
  const asText = values.has('SCHILY.acl.access') || values.has('SCHILY.acl.default');
  return (
    asText &&
    !values.has(`${attributePrefix}system.posix_acl_access`) &&
    !values.has(`${attributePrefix}system.posix_acl_default`)
  );
}
