import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseApkInstalled } from './apk.ts';
import { parseDpkgStatus } from './dpkg.ts';
import { diffPackages, type InstalledPackage, isPackageState, pathInTree } from './package-database.ts';
import { parsePacmanDesc, parsePacmanSections } from './pacman.ts';
import { parseRpmHeader } from './rpm.ts';

/** Made by rpmbuild 4.18 from a package of two files and a directory, with an epoch. */
const header = readFileSync(new URL('../../../tests/fixtures/packages/hello.rpm-header', import.meta.url));

describe('dpkg', () => {
  const status = [
    'Package: nginx\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1.22.1-9\nDescription: a server\n long text\n Version: 9',
    'Package: libc6\nStatus: hold ok installed\nArchitecture: amd64\nMulti-Arch: same\nVersion: 2.36-9',
    'Package: gone\nStatus: deinstall ok config-files\nArchitecture: all\nVersion: 1',
    'Package: never\nStatus: install ok not-installed\nArchitecture: all',
  ].join('\n\n');

  test('knows what is there, and not what only left its configuration', () => {
    expect(parseDpkgStatus(`${status}\n`)).toEqual([
      { manager: 'dpkg', name: 'nginx', version: '1.22.1-9', architecture: 'amd64', id: 'nginx' },
      { manager: 'dpkg', name: 'libc6', version: '2.36-9', architecture: 'amd64', id: 'libc6:amd64' },
    ]);
  });

  test('takes any text', () => {
    fc.assert(fc.property(fc.string(), (text) => Array.isArray(parseDpkgStatus(text))));
  });
});

describe('rpm', () => {
  test('reads a header that rpm wrote', () => {
    expect(parseRpmHeader(header)).toEqual({
      package: {
        manager: 'rpm',
        name: 'hello-imprint',
        version: '1:1.2-3',
        architecture: 'noarch',
        id: 'hello-imprint.noarch',
      },
      paths: ['/etc/hello', '/etc/hello/a.conf', '/usr/bin/hello'],
    });
  });

  test('takes a header with any byte changed, or cut anywhere, without failing', () => {
    fc.assert(
      fc.property(fc.nat(header.length - 1), fc.nat(255), fc.nat(header.length), (at, value, length) => {
        const broken = Buffer.from(header);
        broken[at] = value;
        parseRpmHeader(broken);
        parseRpmHeader(broken.subarray(0, length));
        return true;
      }),
      { numRuns: 2000 },
    );
  });

  test('takes any bytes', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => parseRpmHeader(bytes) === undefined));
  });
});

test('apk: packages with their paths', () => {
  const text =
    'C:Q1\nP:musl\nV:1.2.4-r2\nA:x86_64\nF:lib\nR:ld-musl-x86_64.so.1\nZ:Q1\nF:usr\nF:usr/bin\nR:ldd\n\nP:broken\n';
  expect(parseApkInstalled(text)).toEqual([
    {
      package: { manager: 'apk', name: 'musl', version: '1.2.4-r2', architecture: 'x86_64', id: 'musl' },
      paths: ['lib', 'lib/ld-musl-x86_64.so.1', 'usr', 'usr/bin', 'usr/bin/ldd'],
    },
  ]);
});

test('pacman: desc and files', () => {
  const desc = '%NAME%\nbash\n\n%VERSION%\n5.2.026-2\n\n%ARCH%\nx86_64\n\n';
  expect(parsePacmanDesc(desc)).toEqual({
    manager: 'pacman',
    name: 'bash',
    version: '5.2.026-2',
    architecture: 'x86_64',
    id: 'bash',
  });
  expect(parsePacmanDesc('%NAME%\nbash\n')).toBeUndefined();
  expect(parsePacmanSections('%FILES%\nusr/\nusr/bin/bash\n\n').get('FILES')).toEqual(['usr/', 'usr/bin/bash']);
});

describe('diffPackages', () => {
  const each = (id: string, version: string): InstalledPackage => ({ manager: 'dpkg', name: id, version, id });

  test('tells new, gone and changed by name', () => {
    const changes = diffPackages(
      [each('a', '1'), each('b', '1'), each('c', '1')],
      [each('d', '1'), each('b', '2'), each('c', '1')],
    );
    expect(changes.map(({ id, before, after }) => [id, before, after])).toEqual([
      ['a', '1', undefined],
      ['b', '1', '2'],
      ['d', undefined, '1'],
    ]);
  });

  test('several versions of one package stand side by side', () => {
    const changes = diffPackages(
      [each('kernel', '1'), each('kernel', '2')],
      [each('kernel', '2'), each('kernel', '3')],
    );
    expect(changes).toEqual([expect.objectContaining({ id: 'kernel', before: '1', after: '3' })]);
  });
});

test('pathInTree follows the links of a merged /usr', () => {
  const links = new Map([['lib', 'usr/lib']]);
  expect(pathInTree('/lib/udev/rules.d', links)).toBe('usr/lib/udev/rules.d');
  expect(pathInTree('/lib', links)).toBe('lib');
  expect(pathInTree('/etc/nginx/', links)).toBe('etc/nginx');
});

test('isPackageState knows the databases of package managers alone', () => {
  expect(isPackageState('var/lib/dpkg/info/nginx.list')).toBe(true);
  expect(isPackageState('var/lib/dpkgx')).toBe(false);
  expect(isPackageState('usr/lib/sysimage/rpm')).toBe(true);
});
