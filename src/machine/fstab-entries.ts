/** How a line of fstab names its device. */
export interface DeviceName {
  kind: 'uuid' | 'label' | 'partition-uuid' | 'partition-label' | 'path';
  value: string;
}

/** A line of `/etc/fstab` (fstab(5)), escapes undone; bytes as latin1, as they came. */
export interface FstabEntry {
  /** As it stands there. */
  spec: string;
  /** Absent where it is no block device: `tmpfs`, `server:/export`, a bind mount's directory. */
  device?: DeviceName;
  /** Absolute, without a slash at its end but for `/`; `none` for swap. */
  mountPoint: string;
  type: string;
  options: string[];
}

const tags: readonly (readonly [prefix: RegExp, kind: DeviceName['kind']])[] = [
  [/^UUID=|^\/dev\/disk\/by-uuid\//i, 'uuid'],
  [/^LABEL=|^\/dev\/disk\/by-label\//i, 'label'],
  [/^PARTUUID=|^\/dev\/disk\/by-partuuid\//i, 'partition-uuid'],
  [/^PARTLABEL=|^\/dev\/disk\/by-partlabel\//i, 'partition-label'],
];

/** All lines that say something, in their order. */
export function parseFstab(text: string): FstabEntry[] {
  return text.split('\n').flatMap((line) => {
    if (/^\s*(#|$)/.test(line)) return [];
    const [spec, mountPoint, type, options] = line.trim().split(/\s+/).map(withoutEscapes);
    if (spec === undefined || mountPoint === undefined || type === undefined) return [];
    const words = (options ?? 'defaults').split(',');
    const device = words.includes('bind') || words.includes('rbind') ? undefined : deviceOf(spec);
    return [{ spec, ...(device && { device }), mountPoint: mountPoint.replace(/(.)\/+$/, '$1'), type, options: words }];
  });
}

/** How the first field of a line names its device; undefined where it is none: `tmpfs`, `server:/export`. */
export function deviceOf(spec: string): DeviceName | undefined {
  for (const [prefix, kind] of tags) {
    if (prefix.test(spec)) return { kind, value: spec.replace(prefix, '').replace(/^"(.*)"$/, '$1') };
  }
  return spec.startsWith('/dev/') ? { kind: 'path', value: spec } : undefined;
}

function withoutEscapes(word: string): string {
  return word.replaceAll(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}
