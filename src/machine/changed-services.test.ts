import { describe, expect, it } from 'vitest';
import { chooseServices, mappedFiles, unitOfCgroup, unitOfConfiguration, unitOfPath } from './changed-services.ts';

// As recorded from sshd after its libraries were upgraded.
const maps = `55d0c5a00000-55d0c5a0d000 r--p 00000000 fe:01 262741                     /usr/sbin/sshd (deleted)
55d0c5a0d000-55d0c5a9c000 r-xp 0000d000 fe:01 262741                     /usr/sbin/sshd (deleted)
55d0c7a3e000-55d0c7a80000 rw-p 00000000 00:00 0                          [heap]
7f2b7c000000-7f2b7c021000 rw-s 00000000 00:01 1024                       /dev/zero (deleted)
7f2b7c021000-7f2b80000000 rw-s 00000000 00:01 3                          /memfd:buffer (deleted)
7f2b81a00000-7f2b81a26000 r--p 00000000 fe:01 3932                       /usr/lib/x86_64-linux-gnu/libc.so.6
7f2b81e00000-7f2b81e26000 r--p 00000000 fe:01 3933                       /usr/lib/x86_64-linux-gnu/with blank.so (deleted)
`;

describe('services whose files changed', () => {
  it('knows the files that are mapped, those that are gone, too', () => {
    expect(mappedFiles(maps)).toContain('/usr/lib/x86_64-linux-gnu/with blank.so');
    expect(mappedFiles(maps)).toContain('/usr/lib/x86_64-linux-gnu/libc.so.6');
    expect(mappedFiles(maps)).toContain('/usr/sbin/sshd');
  });

  it('knows the service of a process', () => {
    expect(unitOfCgroup('0::/system.slice/ssh.service\n')).toBe('ssh.service');
    expect(unitOfCgroup('0::/system.slice/docker.service/child\n')).toBe('docker.service');
    expect(unitOfCgroup('0::/system.slice/system-postgresql.slice/postgresql@15-main.service\n')).toBe(
      'postgresql@15-main.service',
    );
    expect(unitOfCgroup('0::/system.slice/a\\x2db.service')).toBe('a-b.service');
    expect(unitOfCgroup('0::/user.slice/user-0.slice/session-1.scope\n')).toBeUndefined();
    expect(unitOfCgroup('12:cpu:/\n1:name=systemd:/system.slice/cron.service\n')).toBe('cron.service');
    expect(unitOfCgroup('0::/\n')).toBeUndefined();
  });

  it('knows the unit that a file defines', () => {
    expect(unitOfPath('usr/lib/systemd/system/ssh.service')).toBe('ssh.service');
    expect(unitOfPath('/etc/systemd/system/ssh.service.d/limits.conf')).toBe('ssh.service');
    expect(unitOfPath('etc/systemd/system/multi-user.target.wants/ssh.service')).toBeUndefined();
    expect(unitOfPath('usr/lib/systemd/system/basic.target')).toBeUndefined();
  });

  it('knows the service that a file configures', () => {
    expect(unitOfConfiguration('etc/nginx/sites-enabled/default')).toBe('nginx.service');
    expect(unitOfConfiguration('etc/default/ssh')).toBe('ssh.service');
    expect(unitOfConfiguration('etc/chrony.conf')).toBe('chrony.service');
    expect(unitOfConfiguration('etc/passwd')).toBeUndefined();
    expect(unitOfConfiguration('usr/share/nginx/html')).toBeUndefined();
  });

  it('leaves sessions and the message bus alone', () => {
    expect(
      chooseServices(['ssh.service', 'dbus.service', 'cron.service', 'ssh.service', 'imprint-agent.service']),
    ).toEqual({
      restart: ['cron.service', 'ssh.service'],
      afterReboot: ['dbus.service'],
    });
  });
});
