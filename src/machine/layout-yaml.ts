import type { Layout } from '../contract/layout.ts';

/** Remarks by the path of what they stand above: `disks.0.partitions.2`; one line each. */
export type LayoutComments = ReadonlyMap<string, readonly string[]>;

/** A line that is no longer than this holds a whole item. */
const lineLength = 100;

/**
 * A layout as YAML for people: one item a line where it fits, remarks above. `parseLayout` makes the same layout of it.
 *
 * @param head remarks above everything
 */
export function renderLayout(
  layout: Layout,
  comments: LayoutComments = new Map(),
  head: readonly string[] = [],
): string {
  const lines = head.map(remark);
  lines.push('format: 1');
  const remarks = (path: string, indent: string) => (comments.get(path) ?? []).map((line) => indent + remark(line));
  const item = (path: string, value: object, inner: readonly string[], indent: string): string[] => {
    const entries = fieldsOf(value).filter(([key]) => !inner.includes(key));
    const lists = inner.flatMap((key) => {
      const items = (value as Record<string, readonly object[]>)[key] ?? [];
      if (items.length === 0) return [];
      return [
        `${indent}  ${key}:`,
        ...items.flatMap((each, index) => item(`${path}.${key}.${index}`, each, [], `${indent}    `)),
      ];
    });
    const flow = `${indent}- { ${entries.map(([key, text]) => `${key}: ${text}`).join(', ')} }`;
    const above = remarks(path, indent);
    if (inner.length === 0 && flow.length <= lineLength) return [...above, flow];
    const [first, ...rest] = entries;
    return [
      ...above,
      ...(first === undefined ? [] : [`${indent}- ${first[0]}: ${first[1]}`]),
      ...rest.flatMap(([key, text]) => [...remarks(`${path}.${key}`, `${indent}  `), `${indent}  ${key}: ${text}`]),
      ...lists,
    ];
  };
  const section = (
    key: 'disks' | 'raids' | 'crypts' | 'volumeGroups' | 'swap' | 'mounts',
    inner: readonly string[],
  ) => {
    const items: readonly object[] = layout[key];
    const above = remarks(key, '');
    if (items.length === 0) return above.length > 0 ? ['', ...above] : [];
    return ['', ...above, `${key}:`, ...items.flatMap((value, index) => item(`${key}.${index}`, value, inner, '  '))];
  };
  lines.push(...section('disks', ['partitions']));
  lines.push(...section('raids', []), ...section('crypts', []));
  lines.push(...section('volumeGroups', ['volumes']), ...section('swap', []));
  lines.push(...section('mounts', []));
  return `${lines.join('\n')}\n`;
}

/** One line whatever it holds: labels in it are whatever somebody wrote onto a disk, and must not become a part of the layout. */
function remark(line: string): string {
  return `# ${line.replaceAll(/[\p{Cc}\u2028\u2029]/gu, '\ufffd')}`.trimEnd();
}

/** Bytes as they are written in a layout: `512M`, `20G`; exact. */
export function sizeText(bytes: number): string {
  const units = ['', 'K', 'M', 'G', 'T'];
  let unit = 0;
  let value = bytes;
  while (unit < units.length - 1 && value >= 1024 && value % 1024 === 0) {
    value /= 1024;
    unit += 1;
  }
  return `${value}${units[unit]}`;
}

const sizes = new Set(['size', 'min', 'max', 'extent', 'chunk']);

function fieldsOf(value: object): [key: string, text: string][] {
  return Object.entries(value)
    .filter(([, field]) => field !== undefined && !(Array.isArray(field) && field.length === 0))
    .map(([key, field]) => [key, fieldText(key, field)]);
}

function fieldText(key: string, field: unknown): string {
  if (typeof field === 'number') return sizes.has(key) ? sizeText(field) : String(field);
  if (key === 'make' && Array.isArray(field)) return scalar(field.join(' '));
  if (Array.isArray(field)) return `[${field.map((each) => fieldText('', each)).join(', ')}]`;
  if (typeof field === 'object' && field !== null) {
    return `{ ${fieldsOf(field)
      .map(([name, text]) => `${name}: ${text}`)
      .join(', ')} }`;
  }
  return scalar(String(field));
}

/** Plain where no reader could take it for anything else. */
function scalar(text: string): string {
  return /^[A-Za-z0-9/][A-Za-z0-9_./%+@=<>-]*( [A-Za-z0-9_./%+@=<>-]+)*$/.test(text) ? text : JSON.stringify(text);
}
