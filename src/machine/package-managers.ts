/** How one package manager is told to install packages without asking. */
export interface PackageManager {
  readonly name: string;
  /** Its program: a tree that has it is its. */
  readonly program: string;
  /** Commands in order. `recommends`: also what packages recommend. */
  install(packages: readonly string[], recommends: boolean): readonly (readonly [string, ...string[]])[];
}

/** The package managers that a build can use, by the program that tells them. */
export const packageManagers: readonly PackageManager[] = [
  {
    name: 'apt',
    program: 'usr/bin/apt-get',
    install: (packages, recommends) => [
      ['apt-get', '-q', 'update'],
      [
        'apt-get',
        ...['-q', '-y', '-o', 'Dpkg::Options::=--force-confold', '-o', 'Dpkg::Use-Pty=0'],
        `--${recommends ? '' : 'no-'}install-recommends`,
        'install',
        ...packages,
      ],
    ],
  },
  {
    name: 'dnf',
    program: 'usr/bin/dnf',
    install: (packages, recommends) => [
      ['dnf', '-y', `--setopt=install_weak_deps=${recommends ? 'True' : 'False'}`, 'install', ...packages],
    ],
  },
  { name: 'yum', program: 'usr/bin/yum', install: (packages) => [['yum', '-y', 'install', ...packages]] },
  {
    name: 'zypper',
    program: 'usr/bin/zypper',
    install: (packages, recommends) => [
      ['zypper', '--non-interactive', 'install', `--${recommends ? '' : 'no-'}recommends`, ...packages],
    ],
  },
  {
    name: 'pacman',
    program: 'usr/bin/pacman',
    install: (packages) => [['pacman', '-Sy', '--noconfirm', '--needed', ...packages]],
  },
  { name: 'apk', program: 'sbin/apk', install: (packages) => [['apk', 'add', ...packages]] },
];
