/**
 * A path with every run of digits, and of digits joined by dots, taken for one sign: what moved with its version in its name
 * (`vmlinuz-6.1.0-50-amd64`, `lib/modules/6.1.0-50-amd64/…`, `libssl.so.3.0.17`) has the same path then as what it was.
 */
export function nameWithoutVersion(path: string): string {
  return path.replaceAll(/\d+(?:[.~+-]\d+)*/g, '#');
}
