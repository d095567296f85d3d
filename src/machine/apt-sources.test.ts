import { describe, expect, test } from 'vitest';
import { debianSources, parseDeb822Sources, parseSourcesList, renderAptSource } from './apt-sources.ts';

const deb822 = `# our mirror
Types: deb deb-src
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security
# a remark in the middle
Components: main

Enabled: no
Types: deb
URIs: http://gone.example/debian
Suites: bookworm
Components: main

Types: deb
URIs: http://key.example/debian
Suites: bookworm
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 mQINBF
 -----END PGP PUBLIC KEY BLOCK-----
`;

const list = `
deb http://ftp.example/debian bookworm main non-free-firmware
deb [arch=amd64 signed-by=/etc/apt/keyrings/other.gpg] https://other.example bookworm main
deb [trusted=yes] file:/srv/debian bookworm main # local
#deb http://commented.example/debian bookworm main
deb-src http://ftp.example/debian bookworm main
deb cdrom:[Debian GNU/Linux 12]/ bookworm main
nonsense
`;

describe('what apt reads', () => {
  test('deb822: every URI with every suite, disabled stanzas left out', () => {
    expect(parseDeb822Sources(deb822).map((source) => `${source.uri} ${source.suite}`)).toEqual([
      'http://mirror.example/debian bookworm',
      'http://mirror.example/debian bookworm-updates',
      'http://mirror.example/debian-security bookworm-security',
      'http://key.example/debian bookworm',
    ]);
  });

  test('an embedded key is not taken for a path', () => {
    expect(parseDeb822Sources(deb822).at(-1)?.options).toEqual({});
  });

  test('one-line sources with their options', () => {
    expect(parseSourcesList(list)).toEqual([
      { uri: 'http://ftp.example/debian', suite: 'bookworm', components: ['main', 'non-free-firmware'], options: {} },
      {
        uri: 'https://other.example',
        suite: 'bookworm',
        components: ['main'],
        options: { arch: 'amd64', 'signed-by': '/etc/apt/keyrings/other.gpg' },
      },
      { uri: 'file:/srv/debian', suite: 'bookworm', components: ['main'], options: { trusted: 'yes' } },
    ]);
  });
});

describe('Debian among them', () => {
  test("the machine's own mirror, and nobody else's", () => {
    expect(
      debianSources([...parseDeb822Sources(deb822), ...parseSourcesList(list)], 'bookworm').map(renderAptSource),
    ).toEqual([
      'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://mirror.example/debian bookworm main',
      'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://mirror.example/debian bookworm-updates main',
      'deb http://mirror.example/debian-security bookworm-security main',
      'deb http://key.example/debian bookworm main',
      'deb http://ftp.example/debian bookworm main',
      'deb [trusted=yes] file:/srv/debian bookworm main',
    ]);
  });

  test('another suite, or another distribution: none, so that mmdebstrap takes its default mirror', () => {
    expect(debianSources(parseDeb822Sources(deb822), 'trixie')).toEqual([]);
  });

  test('the same source in two files counts once', () => {
    const twice = [
      ...parseSourcesList(list),
      ...parseSourcesList(list.replaceAll('/debian bookworm', '/debian/ bookworm')),
    ];
    expect(debianSources(twice, 'bookworm')).toHaveLength(2);
  });
});
