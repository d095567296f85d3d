import fc from 'fast-check';
import { expect, test } from 'vitest';
import { canonicalJson, parseCanonicalJson } from './canonical-json.ts';
import { FormatError } from './format-error.ts';

test('one value has one text', () => {
  expect(canonicalJson({ b: [1, null, 'é\n'], a: { z: true, y: undefined } })).toBe(
    '{"a":{"z":true},"b":[1,null,"é\\n"]}',
  );
  expect(canonicalJson({ 10: 1, 9: 2, é: 3, '': 4 })).toBe('{"":4,"10":1,"9":2,"é":3}');
  expect(() => canonicalJson(Number.NaN)).toThrow(RangeError);
  expect(() => canonicalJson(() => 1)).toThrow(TypeError);
});

test('every JSON value comes back, and every other spelling of it is refused', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const text = canonicalJson(value);
      expect(canonicalJson(parseCanonicalJson(Buffer.from(text)))).toBe(text);
      expect(() => parseCanonicalJson(` ${text}`)).toThrow(FormatError);
    }),
  );
  for (const text of ['{"a":1,"a":1}', '{"b":1,"a":1}', '1.0', '"\\u0041"', '', '{', '[1 ]'])
    expect(() => parseCanonicalJson(text), text).toThrow(FormatError);
  expect(() => parseCanonicalJson(Buffer.from('22ff22', 'hex'))).toThrow(FormatError);
});
