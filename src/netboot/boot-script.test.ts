import { describe, expect, test } from 'vitest';
import { imagerCommandLine, renderBootScript, renderChainScript } from './boot-script.ts';

const server = 'http://10.9.0.1:8080';

describe('the script for one machine', () => {
  test('the imager gets kernel, initrd, server and interface', () => {
    const script = renderBootScript(
      { kind: 'imager' },
      { server, platform: 'pcbios', mac: '52:54:00:12:34:56', machine: 'web01', kernelOptions: 'nomodeset' },
    );
    expect(script.split('\n')).toEqual([
      '#!ipxe',
      'echo Imprint: web01 starts the imager from http://10.9.0.1:8080',
      ':load',
      'imgfree',
      'kernel http://10.9.0.1:8080/boot/vmlinuz initrd=initrd.img imprint.server=http://10.9.0.1:8080 ' +
        'BOOTIF=01-52-54-00-12-34-56 loglevel=4 console=tty0 console=ttyS0,115200 nomodeset || goto failed',
      'initrd http://10.9.0.1:8080/boot/initrd.img || goto failed',
      'boot || goto failed',
      ':failed',
      'echo Imprint: the imager cannot be loaded; trying again in 10 seconds',
      'sleep 10',
      'chain --replace --autofree --timeout 15000 http://10.9.0.1:8080/boot/script?mac=${netX/mac}&uuid=${uuid}' +
        '&platform=${platform}&buildarch=${buildarch} || goto load',
      '',
    ]);
  });

  test.each([
    ['pcbios', 'goto local-pcbios'],
    ['efi', 'goto local-efi'],
    ['something else', 'goto local-pcbios'],
  ])('the disk on %s', (platform, jump) => {
    const lines = renderBootScript({ kind: 'disk' }, { server, platform, machine: 'web01' }).split('\n');
    expect(lines[1]).toBe('echo Imprint: web01 boots from its disk');
    expect(lines[2]).toBe(jump);
    expect(lines).toContain(`:${jump.slice('goto '.length)}`);
    const first = lines.indexOf('sanboot --no-describe --drive 0x80 ||');
    expect(lines[first + 1], 'the installed disk need not be the first').toBe('sanboot --no-describe --drive 0x81 ||');
    expect(lines).toContain('chain --timeout 15000 http://10.9.0.1:8080/boot/localdisk.efi ||');
    expect(lines.filter((line) => line === 'exit 1')).toHaveLength(2);
  });

  test('every label that is jumped to exists', () => {
    for (const script of [
      renderBootScript({ kind: 'imager' }, { server, platform: 'efi' }),
      renderBootScript({ kind: 'disk' }, { server, platform: 'efi' }),
      renderChainScript(server),
    ]) {
      const jumps = [...script.matchAll(/goto ([\w-]+)(?!.*\$)/g)].map((match) => match[1] ?? '');
      for (const jump of jumps.filter((name) => name !== 'local-')) expect(script).toContain(`\n:${jump}\n`);
    }
  });

  test('what is not ours cannot smuggle in a command', () => {
    const script = renderBootScript(
      { kind: 'imager' },
      { server, platform: 'efi', machine: 'a\nreboot || ${b}', kernelOptions: 'quiet\nshell' },
    );
    expect(script).not.toMatch(/^(reboot|shell)/m);
    expect(script).toContain('echo Imprint: a_reboot __ __b_ starts');
    expect(script).toContain('ttyS0,115200 quiet shell || goto failed');
  });
});

test('without an interface the command line names none', () => {
  expect(imagerCommandLine({ server, platform: 'efi' })).toBe(
    'initrd=initrd.img imprint.server=http://10.9.0.1:8080 loglevel=4 console=tty0 console=ttyS0,115200',
  );
});

test('the script on TFTP asks the server, asks again, and then goes to the disk', () => {
  const script = renderChainScript(server, 3);
  expect(script.startsWith('#!ipxe\n')).toBe(true);
  expect(script).toContain('/boot/script?mac=${netX/mac}&uuid=${uuid}&platform=${platform}&buildarch=${buildarch} || ');
  expect(script).toContain('iseq ${attempt} 3 && goto disk ||');
  expect(script).toContain(':disk\n');
  // Nothing is asked of a server that does not answer.
  expect(script.slice(script.indexOf(':disk\n'))).not.toContain('chain');
  expect(script.endsWith('exit 1\n')).toBe(true);
});
