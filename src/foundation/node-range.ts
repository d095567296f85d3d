/**
 * Node ranges as clusters write them: `web[01-20]`, `r[1-2]n[1,3,5-7]`, `a,b,c`. Zeros in front are kept
 * (`[01-20]` → `01` … `20`). The order is the order written, the last bracket turning fastest.
 */

const limit = 100_000;

/** All names of a node range. Throws a `RangeError` that says what is wrong with the text. */
export function expandNodeRange(text: string): string[] {
  const names = splitOutsideBrackets(text).flatMap((part) => expandPart(part.trim()));
  if (names.length === 0) throw new RangeError('it is empty');
  const seen = new Set<string>();
  for (const name of names) {
    if (!/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/i.test(name)) {
      throw new RangeError(`“${name}” is not a host name`);
    }
    if (seen.has(name)) throw new RangeError(`“${name}” appears twice`);
    seen.add(name);
  }
  return names;
}

/**
 * `count` IPv4 addresses from `10.0.0.11+` (one after another) or the single address written without `+`.
 * Throws a `RangeError` where the text is no address, or where more than one is wanted of a single one.
 */
export function expandAddresses(text: string, count: number): string[] {
  const match = /^(\d+\.\d+\.\d+\.\d+)(\+?)$/.exec(text.trim());
  const first = match?.[1] === undefined ? undefined : ipv4ToNumber(match[1]);
  if (first === undefined) throw new RangeError(`“${text}” is not an IPv4 address; write 10.0.0.11 or 10.0.0.11+`);
  if (count > 1 && match?.[2] !== '+')
    throw new RangeError(`one address for ${count} machines; write ${text}+ to count up`);
  if (first + count - 1 > 0xffffffff) throw new RangeError('the addresses run past 255.255.255.255');
  return Array.from({ length: count }, (_, index) => numberToIpv4(first + index));
}

/** An IPv4 address as a number, undefined where the text is none. */
export function ipv4ToNumber(text: string): number | undefined {
  const parts = text.split('.');
  if (parts.length !== 4 || !parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) < 256))
    return undefined;
  return parts.reduce((sum, part) => sum * 256 + Number(part), 0);
}

/** The dotted form of an IPv4 address. */
export function numberToIpv4(value: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join('.');
}

function splitOutsideBrackets(text: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let from = 0;
  for (let index = 0; index < text.length; index += 1) {
    const unit = text[index];
    if (unit === '[') depth += 1;
    if (unit === ']') depth -= 1;
    if (depth < 0 || depth > 1) throw new RangeError('its brackets do not match');
    if (unit === ',' && depth === 0) {
      parts.push(text.slice(from, index));
      from = index + 1;
    }
  }
  if (depth !== 0) throw new RangeError('its brackets do not match');
  parts.push(text.slice(from));
  return parts.filter((part) => part.trim() !== '');
}

function expandPart(part: string): string[] {
  const open = part.indexOf('[');
  if (open < 0) return [part];
  const close = part.indexOf(']', open);
  const heads = expandBracket(part.slice(open + 1, close)).map((item) => part.slice(0, open) + item);
  const tails = expandPart(part.slice(close + 1));
  if (heads.length * tails.length > limit) throw new RangeError(`it names more than ${limit} machines`);
  return heads.flatMap((head) => tails.map((tail) => head + tail));
}

function expandBracket(body: string): string[] {
  return body.split(',').flatMap((item) => {
    const match = /^(\d+)(?:-(\d+))?$/.exec(item.trim());
    if (!match?.[1]) throw new RangeError(`“[${body}]” is not a range; write [01-20] or [1,3,5-7]`);
    const first = match[1];
    const last = match[2] ?? first;
    const count = Number(last) - Number(first) + 1;
    if (count < 1) throw new RangeError(`“${item}” counts backwards`);
    if (count > limit) throw new RangeError(`it names more than ${limit} machines`);
    return Array.from({ length: count }, (_, index) => String(Number(first) + index).padStart(first.length, '0'));
  });
}
