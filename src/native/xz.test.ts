import { expect, test } from 'vitest';
import { decompressXz } from './xz.ts';

/** What `xz` made of “a kernel module”, and of three million zeros. */
const text = '/Td6WFoAAATm1rRGAgAhARYAAAB0L+WjAQAOYSBrZXJuZWwgbW9kdWxlAACr1EHQfVNyGwABJw/fGvxqH7bzfQEAAAAABFla';
const zeros = Buffer.from(
  '/Td6WFoAAATm1rRGAgAhARwAAAAQz1jM//8RAWxdAABv/f//o7f/Rz5IFXI5YVG4kijmo4YH+e7kHoLTL8U6PAFLsX7JiopNL6MN2X+m44wjEVPgWRjFdYrid/i2lH8MasDedElk4ulcU7IE2PdEDKtfDW1G6eXDdoi3llestk3haR1v+0uIEGxCy4g/XACP0E6vJiiUcR89jyThcJ6nI1/sKMuF0ZWYin4qkfIndfcZwAaYTZj92K/VkA/EJVP49ZE2MQWlsO5vwXBNRwzRkRGqrWAdus6xJxhcWYbpZlJYvul2rFnk5VsFCPnH2q38+1IrdM0eWyBC+d1TPfgpZAk7gMsqbN+1O/DEvS5fqg8+S2ZCkBMO/xCT+HF4WfgLzf+VKEYPqfx83vuaMC5WwI+F84OBwGXEJVP49ZE2MQWlsO5vwXBNRwzRkRGqrWAdus6xJxhcWYbpZlJYvul2rFnk5VsFCPnH2q38+1IrdM0eWyBC+d1TPfgpZAk7gMsqbN+1O/DEvEgn5liNx60AhADsc1On/b6ufDEan7eNMW5wnqcjX+woy4XRlZiKfiqR8id19xnABphNmP3Yr9WQD8QlU/j1kTYxBaWw7m/BcE1HDNGREaqtYB26zrEnGFxZhulmUli+6XasWeTlWwUI+cfarfz7Uit0zR5bIEL53VM9+ClkCTuAyyps37U78MS9FHktXQAAAACfA5m5yIb9IgABkgTAjbcBaatYJbHEZ/sCAAAAAARZWg==',
  'base64',
);

test('an xz stream is read without the program xz, also one whose content is far larger', () => {
  expect(Buffer.from(decompressXz(Buffer.from(text, 'base64')) ?? []).toString()).toBe('a kernel module');
  const content = decompressXz(zeros);
  expect(content?.length).toBe(3_000_000);
  expect(content?.every((byte) => byte === 0)).toBe(true);
});

test('a stream that is damaged, cut or none gives nothing', () => {
  const damaged = Buffer.from(text, 'base64');
  damaged[30] = (damaged[30] ?? 0) ^ 1;
  expect(decompressXz(damaged)).toBeUndefined();
  expect(decompressXz(zeros.subarray(0, 200))).toBeUndefined();
  expect(decompressXz(Buffer.from('nothing of the kind'))).toBeUndefined();
});
