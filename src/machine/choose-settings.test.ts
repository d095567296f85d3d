import { describe, expect, it } from 'vitest';
import { chooseSettings, isSettingsName, type SettingsPlace } from './choose-settings.ts';

const macs = ['52:54:00:12:34:56', '52:54:00:12:34:57'];
const file = (content: string, name = 'local.cfg') => ({ name, content: Buffer.from(content) });
const stick = (device: string, ...files: SettingsPlace['files'][number][]): SettingsPlace => ({
  ...{ device, label: 'IMPRINT', medium: 'abc', files },
});
const labelled = (device: string, ...files: SettingsPlace['files'][number][]): SettingsPlace => ({
  ...{ device, label: 'IMPRINT-CFG', files },
});
const choose = (...places: SettingsPlace[]) => {
  const choice = chooseSettings(places, { medium: 'abc', macs });
  if (choice.kind === 'settings') return `${choice.settings.hostName} from ${choice.source}`;
  return choice.kind === 'wrong' ? `${choice.source}: ${choice.problem}` : choice.kind;
};

describe('chooseSettings', () => {
  it.each([
    ['the medium', [stick('/dev/sdb2', file('HOSTNAME=a'))], 'a from local.cfg on /dev/sdb2 (IMPRINT)'],
    ['another medium, not booted from', [{ ...stick('/dev/sdb2', file('HOSTNAME=a')), medium: 'other' }], 'none'],
    [
      'a partition with the label',
      [labelled('/dev/sda1', file('HOSTNAME=a'))],
      'a from local.cfg on /dev/sda1 (IMPRINT-CFG)',
    ],
    [
      'both: the medium counts',
      [labelled('/dev/sda1', file('HOSTNAME=a')), stick('/dev/sdb2', file('HOSTNAME=b'))],
      'b from local.cfg on /dev/sdb2 (IMPRINT)',
    ],
    [
      'a medium that nobody filled in',
      [labelled('/dev/sda1', file('HOSTNAME=a')), stick('/dev/sdb2', file('# HOSTNAME=b\n'))],
      'a from local.cfg on /dev/sda1 (IMPRINT-CFG)',
    ],
    [
      'a file for this machine',
      [
        stick(
          '/dev/sdb2',
          file('HOSTNAME=a'),
          file('HOSTNAME=b', 'LOCAL-52-54-00-12-34-57.CFG'),
          file('x', 'local-00-00-00-00-00-01.cfg'),
        ),
      ],
      'b from LOCAL-52-54-00-12-34-57.CFG on /dev/sdb2 (IMPRINT)',
    ],
    [
      'two for this machine',
      [stick('/dev/sdb2', ...macs.map((mac) => file('HOSTNAME=a', `local-${mac.replaceAll(':', '-')}.cfg`)))],
      'local-52-54-00-12-34-56.cfg on /dev/sdb2 (IMPRINT): it lies beside local-52-54-00-12-34-57.cfg, and both are of this machine; take one away',
    ],
    [
      'two sticks that say the same',
      [stick('/dev/sdb2', file('HOSTNAME=a')), stick('/dev/sdc2', file('HOSTNAME=a # the other'))],
      'a from local.cfg on /dev/sdb2 (IMPRINT)',
    ],
    [
      'two sticks that do not',
      [stick('/dev/sdb2', file('HOSTNAME=a')), stick('/dev/sdc2', file('HOSTNAME=b'))],
      'local.cfg on /dev/sdb2 (IMPRINT) and local.cfg on /dev/sdc2 (IMPRINT): they say different things; take one away',
    ],
    [
      'one that is wrong',
      [stick('/dev/sdb2', file('HOSTNAME=a\nIPADR=1\n'))],
      'local.cfg on /dev/sdb2 (IMPRINT): line 2: there is no variable IPADR; did you mean IPADDR?',
    ],
    ['nothing', [stick('/dev/sdb2')], 'none'],
  ])('%s', (_, places, expected) => {
    expect(choose(...places)).toBe(expected);
  });
});

describe('INSTALL=unattended', () => {
  const text = 'HOSTNAME=a\nIMAGENAME=web\nINSTALL=unattended\n';
  const install = (place: SettingsPlace) => {
    const choice = chooseSettings([place], { medium: 'abc', macs });
    return choice.kind === 'settings' ? [choice.settings.install, choice.remarks.length] : choice.kind;
  };

  it('counts on the medium that the machine was started from', () => {
    expect(install(stick('/dev/sdb2', file(text)))).toEqual(['unattended', 0]);
  });

  it('is a question where a partition merely lies in the machine, unless it names the machine', () => {
    expect(install(labelled('/dev/sdb1', file(text)))).toEqual(['confirm', 1]);
    expect(install(labelled('/dev/sdb1', file(`${text}MAC=52-54-00-12-34-57\n`)))).toEqual(['unattended', 0]);
    expect(install(labelled('/dev/sdb1', file(`${text}MAC=52:54:00:00:00:01\n`)))).toEqual(['confirm', 1]);
    expect(install(labelled('/dev/sdb1', file(text, 'local-52-54-00-12-34-56.cfg')))).toEqual(['unattended', 0]);
  });
});

it('knows the names of its files', () => {
  const names = ['local.cfg', 'LOCAL.CFG', 'local-52-54-00-12-34-56.cfg', 'local.cfg~', '._local.cfg', 'local-52.cfg'];
  expect(names.filter(isSettingsName)).toEqual(names.slice(0, 3));
});
