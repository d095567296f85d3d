import { expect, it } from 'vitest';
import { renderHostName, renderHosts } from './identity-files.ts';

it.each([
  [
    'Debian’s',
    '127.0.0.1\tlocalhost\n127.0.1.1\tgolden.example.org golden\n\n::1 localhost ip6-localhost\n',
    'web01',
    '127.0.0.1\tlocalhost\n127.0.1.1\tweb01\n\n::1 localhost ip6-localhost\n',
  ],
  [
    'without a name of its own',
    '127.0.0.1 localhost\n',
    'web01.lab',
    '127.0.0.1 localhost\n127.0.1.1\tweb01.lab web01\n',
  ],
  [
    'the golden machine’s address',
    '127.0.0.1 localhost\n10.0.0.5 golden\n10.0.0.6 db golden\n',
    'web01',
    '127.0.0.1 localhost\n127.0.1.1\tweb01\n10.0.0.6\tdb\n',
  ],
  ['golden on the loopback line', '127.0.0.1 localhost golden\n', 'web01', '127.0.0.1\tlocalhost\n127.0.1.1\tweb01\n'],
  ['none', '', 'web01', '127.0.0.1\tlocalhost\n127.0.1.1\tweb01\n'],
])('renders hosts: %s', (_what, image, name, expected) => {
  expect(renderHosts(image, name, 'golden')).toBe(expected);
});

it('gives the short name', () => {
  expect(renderHostName('web01.example.org')).toBe('web01\n');
});
