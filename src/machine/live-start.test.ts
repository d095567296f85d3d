import { describe, expect, it } from 'vitest';
import { isLiveDirectory, type LiveStart, liveKernelOptions, liveWords, readLiveStart } from './live-start.ts';

const uuid = '0b1c2d3e-1111-4222-8333-444455556666';

describe('the words of a live start', () => {
  const starts: LiveStart[] = [
    { kind: 'medium', medium: '0123456789abcdef', image: 'web:3', toram: false },
    { kind: 'medium', medium: '0123456789abcdef', image: 'web:3', toram: true },
    { kind: 'frugal', uuid, directory: '/imprint-live', image: 'web:3', changes: 'changes', toram: false },
    { kind: 'medium', medium: '0123456789abcdef', image: 'web:3', fileSystem: 'btrfs', toram: true },
    { kind: 'frugal', uuid, directory: '/a', image: 'web:3', fileSystem: 'xfs', changes: 'changes', toram: false },
    { kind: 'frugal', uuid: 'ABCD-1234', directory: '/boot/live.d/a', image: 'web:3', toram: true },
  ];
  it('are read as they were written', () => {
    for (const start of starts)
      expect(readLiveStart(`BOOT_IMAGE=/vmlinuz ${liveWords(start).join(' ')} loglevel=4 console=tty0`)).toEqual(start);
  });

  it('are none where nothing says so', () => {
    expect(readLiveStart('imprint.medium=0123456789abcdef console=tty0')).toBeUndefined();
    expect(readLiveStart('imprint.live.image=web:3 -- imprint.live')).toBeUndefined();
  });

  it('are refused where they cannot be meant', () => {
    const problem = (line: string) => {
      const read = readLiveStart(line);
      return read?.kind === 'wrong' ? read.problem : JSON.stringify(read);
    };
    expect(problem('imprint.live=disk imprint.live.image=web:3 imprint.medium=1')).toContain('imprint.live=disk');
    expect(problem('imprint.live imprint.live.image=a imprint.live.fs=zfs imprint.medium=1')).toContain('fs=zfs');
    expect(problem('imprint.live imprint.medium=1')).toContain('which version');
    expect(problem('imprint.live imprint.live.image=web:3')).toContain('where the version lies');
    const frugal = `imprint.live.image=web:3 imprint.live.uuid=${uuid}`;
    expect(problem(`imprint.live ${frugal}`)).toContain('no directory');
    expect(problem(`imprint.live ${frugal} imprint.live.directory=/a/../etc`)).toContain('no directory');
    expect(problem(`imprint.live ${frugal} imprint.live.directory=/a imprint.live.changes=../b`)).toContain('no name');
    expect(problem(`imprint.live=toram ${frugal} imprint.live.directory=/a imprint.live.changes=b`)).toContain('toram');
    expect(problem('imprint.live imprint.live.image=a imprint.live.uuid=../x')).toContain('no UUID');
  });

  it('name only directories that a kernel can be told of', () => {
    expect(['/imprint-live', '/boot/live.d/a'].filter(isLiveDirectory)).toHaveLength(2);
    expect(['', '/', 'a', '/a b', '/a/..', '/a//b', '/a/', '/ä'].filter(isLiveDirectory)).toEqual([]);
  });
});

describe('kernel options of a live system', () => {
  it('are those of the golden machine that its hardware wants, without what would be in the way', () => {
    const recorded =
      'net.ifnames=0 quiet splash crashkernel=256M console=ttyS1 pci=noaer dyndbg="file a.c +p" init=/bin/x';
    expect(liveKernelOptions(recorded)).toEqual(['net.ifnames=0', 'pci=noaer', 'dyndbg="file a.c +p"']);
    expect(liveKernelOptions(undefined)).toEqual([]);
  });
});
