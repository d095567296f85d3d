import { describe, expect, it } from 'vitest';
import { isoFamilies } from './iso-families.ts';
import { isoStages, plainText, readProgress } from './iso-progress.ts';

const family = (id: string) => isoFamilies.find((each) => each.id === id);
const kernel = '[    0.000000] Linux version 6.1.0-18-amd64 (debian-kernel@lists.debian.org)';
const start = `${kernel}\n[    3.1] Run /init as init process\nLoading, please wait...\nBegin: Loading essential drivers ... done.\n`;

describe('readProgress', () => {
  it.each([
    ['nothing', '', 'chosen'],
    ['a kernel', `Loading; nothing is written.\r\n${kernel}\r\n`, 'kernel'],
    [
      'a kernel of UEFI that is quiet',
      'EFI stub: Loaded initrd from LINUX_EFI_INITRD_MEDIA_GUID device path',
      'kernel',
    ],
    ['the end of a kernel on a screen', '[    1.234567] pci 0000:00:01.0: BAR 6', 'kernel'],
    ['initramfs-tools', start, 'initramfs'],
    ['dracut', `${kernel}\n[  OK  ] Finished dracut-cmdline.service - dracut cmdline hook.`, 'initramfs'],
    ['systemd in an initrd', `${kernel}\nsystemd[1]: Running in initrd.\nReached target basic.target`, 'initramfs'],
    [
      'live systemd',
      `${start}[\x1b[0;32m  OK  \x1b[0m] Reached target \x1b[0;1;39mmulti-user.target\x1b[0m - Multi-User`,
      'running',
    ],
    ['an older systemd', `${start}[  OK  ] Reached target Multi-User System.`, 'running'],
    ['a getty', `${start}Arch Linux 6.8 (ttyS0)\r\n\r\narchiso login: `, 'running'],
    ['sysvinit', `${start}INIT: Entering runlevel: 5`, 'running'],
    ['the Debian installer', `${start}\x1b[1;30H [!!] Select a language \x1b[2;1H`, 'running'],
    [
      'Anaconda',
      `${start}Starting installer, one moment...\nanaconda 38.23.4-1.fc38 for Fedora 38 started.`,
      'running',
    ],
    ['the refusal of the key', 'This ISO cannot be started from its file. It is of no family', 'refused'],
  ])('knows %s', (_, text, stage) => {
    expect(readProgress(text)).toMatchObject({ stage });
    expect(isoStages).toContain(readProgress(text).stage);
  });

  it.each([
    ['a panic', `${start}Kernel panic - not syncing: Attempted to kill init!`, 'Kernel panic'],
    ['live-boot without its system', `${start}Unable to find a medium containing a live file system`, 'Unable to find'],
    ['a shell of initramfs-tools', `${start}(initramfs) `, '(initramfs)'],
    ['a shell of dracut', `${start}Entering emergency mode. Exit the shell to continue.`, 'emergency'],
    ['GRUB', "error: file `/live/vmlinuz' not found.", 'not found'],
  ])('knows that it is the end: %s', (_, text, words) => {
    expect(readProgress(text).trouble).toContain(words);
  });

  it('takes no trouble for one that was overcome', () => {
    expect(readProgress(`error: no such device: x.\n${start}live login:`)).toEqual({
      stage: 'running',
      said: 'live login:',
    });
  });

  it('knows programs by their own words', () => {
    expect(readProgress('iPXE 1.21.1+git -- Open Source Network Boot Firmware', family('ipxe')).stage).toBe('running');
    expect(readProgress('Memtest86+ v6.10', family('memtest')).stage).toBe('running');
    expect(readProgress('Memtest86+ v6.10').stage).toBe('chosen');
  });

  it('shows the line', () => {
    expect(readProgress(`${start}[  OK  ] Reached target graphical.target - Graphical Interface.\r\n`).said).toBe(
      '[  OK  ] Reached target graphical.target - Graphical Interface.',
    );
  });
});

describe('the table of families', () => {
  it('has marks that are regular expressions, and do not fit the key’s own menu', () => {
    const ours = isoFamilies.flatMap(({ entries }) => entries.map(({ title }) => title)).join('\n');
    for (const each of isoFamilies) {
      expect(readProgress(`GNU GRUB  version 2.06\nmemtest86+x64.iso\nipxe.iso\n${ours}`, each).stage, each.id).toBe(
        'chosen',
      );
    }
  });
});

it('takes no frame for words', () => {
  expect(readProgress('lqqqqqqqqqu [!!] Select a language tqqqqqqqqqk').said).toBe('[!!] Select a language');
});

it('reads a terminal’s words', () => {
  expect(plainText('\x1b[2J\x1b[1;1HGNU GRUB\x1b[3;5H\x1b[7mLive\x1b[0m\r\n')).toBe('\nGNU GRUB\nLive\n\n');
});
