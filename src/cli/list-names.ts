/** `a`, `a and b`, `a, b and 18 more`. */
export function listNames(names: readonly string[], most = 6): string {
  if (names.length <= 1) return names[0] ?? 'nothing';
  if (names.length > most) return `${names.slice(0, most - 1).join(', ')} and ${names.length - most + 1} more`;
  return `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
}
