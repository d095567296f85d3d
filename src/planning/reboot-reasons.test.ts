import { describe, expect, it } from 'vitest';
import { type InPlaceChanges, rebootReasons } from './reboot-reasons.ts';

const base: InPlaceChanges = { paths: [], runningKernel: '6.1.0-1', newKernel: '6.1.0-1', kernelFileChanged: false };

describe('why a machine must restart after an update in place', () => {
  const table: [what: string, changes: Partial<InPlaceChanges>, reasons: (string | RegExp)[]][] = [
    ['nothing', {}, []],
    ['a program and its configuration', { paths: ['usr/bin/vim', 'etc/vimrc', 'usr/sbin/sshd'] }, []],
    ['another kernel', { newKernel: '6.1.0-2' }, [/becomes 6\.1\.0-2; 6\.1\.0-1 runs/]],
    ['the same kernel built again', { kernelFileChanged: true }, [/another build/]],
    [
      'modules of the running kernel',
      { paths: ['usr/lib/modules/6.1.0-1/a.ko', 'lib/modules/6.1.0-1/b.ko'] },
      [/modules/],
    ],
    ['modules of another kernel', { paths: ['usr/lib/modules/6.1.0-2/a.ko', 'usr/lib/modules/6x1.0-1/a.ko'] }, []],
    ['the C library', { paths: ['usr/lib/x86_64-linux-gnu/libc.so.6'] }, [/C library/]],
    ['the message bus', { paths: ['usr/bin/dbus-daemon'] }, [/message bus/]],
    ['systemd', { paths: ['usr/lib/systemd/systemd'] }, [/systemd/]],
    ['init', { paths: ['usr/sbin/init'] }, [/init is another one/]],
    [
      'what starts with the system',
      { paths: ['etc/systemd/system/multi-user.target.wants/a.service', 'lib/systemd/system/b.target'] },
      [/other services start/],
    ],
    ['a unit that runs', { paths: ['usr/lib/systemd/system/nginx.service'] }, []],
    ['what the start needs', { paths: ['usr/bin/kmod', 'usr/lib/udev/rules.d/60-block.rules'] }, [/starts with/]],
    ['a library of process 1', { usedByInit: ['/usr/lib/libx.so', '/usr/lib/liby.so'] }, [/libx\.so and 1 more/]],
  ];
  for (const [what, changes, reasons] of table) {
    it(what, () => {
      const found = rebootReasons({ ...base, ...changes });
      expect(found).toHaveLength(reasons.length);
      for (const [index, reason] of reasons.entries()) expect(found[index]).toMatch(reason);
    });
  }
});
