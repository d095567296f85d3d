import { describe, expect, it } from 'vitest';
import { parseSshUrl, sshArguments, sshDestination } from './ssh-target.ts';

describe('parseSshUrl', () => {
  it.each([
    ['ssh://golden', { host: 'golden', directory: '/' }],
    ['ssh://root@golden', { user: 'root', host: 'golden', directory: '/' }],
    ['ssh://root@golden.example:2222/', { user: 'root', host: 'golden.example', port: 2222, directory: '/' }],
    [
      'ssh://root@[fe80::1%25eth0]:22/srv/a%20b/',
      { user: 'root', host: 'fe80::1%25eth0', port: 22, directory: '/srv/a b' },
    ],
    ['ssh://10.0.0.5/srv', { host: '10.0.0.5', directory: '/srv' }],
  ])('%s', (source, target) => {
    expect(parseSshUrl(source)).toEqual({ ...target, options: [] });
  });

  it.each([
    'ssh://',
    'ssh://root@',
    'ssh://root:secret@host',
    'ssh://-oProxyCommand=evil',
    'ssh://-l@host',
    'ssh://host:0',
    'ssh://host:99999',
    'ssh://host:x',
    'ssh://host/%zz',
    'ssh://host/a/../b',
    'ssh://host name',
    'ssh:host',
  ])('refuses %s', (source) => {
    expect(() => parseSshUrl(source)).toThrow(expect.objectContaining({ code: 'usage' }));
  });
});

it('puts the user’s options first, for ssh takes the first of each', () => {
  const target = parseSshUrl('ssh://root@golden:22', '/key', ['ConnectTimeout=60']);
  const words = sshArguments(target);
  expect(words.slice(0, 2)).toEqual(['-o', 'ConnectTimeout=60']);
  expect(words).toContain('BatchMode=yes');
  expect(words.join(' ')).toContain('-i /key -o IdentitiesOnly=yes -p 22');
  expect(sshDestination(target)).toBe('root@golden');
});
