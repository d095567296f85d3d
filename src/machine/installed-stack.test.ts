import { describe, expect, it } from 'vitest';
import { bootArguments } from './boot-arguments.ts';
import {
  type InstalledStack,
  initramfsFiles,
  raidUuid,
  renderCrypttab,
  renderMdadmConf,
  stackArguments,
  volumeDevice,
} from './installed-stack.ts';

const stack: InstalledStack = {
  raids: [
    { name: 'mirror', uuid: '1:2:3:4', metadata: '1.2', root: true },
    { name: 'pool', uuid: '5:6:7:8', metadata: '1.2' },
  ],
  crypts: [
    { name: 'secret', uuid: 'u-1', root: true },
    { name: 'data', uuid: 'u-2', keyFile: '/etc/keys/data.key' },
  ],
  groups: [{ name: 'vg0', root: true }, { name: 'vg1' }],
};

describe('what a system knows of its stack', () => {
  it('keeps what the image says of arrays but the golden machine’s own', () => {
    const given = 'HOMEHOST <system>\nMAILADDR root\nARRAY /dev/md/0 metadata=1.2 UUID=9:9:9:9 name=golden:0\n';
    const once = renderMdadmConf(stack.raids, given);
    expect(once).toBe(
      'HOMEHOST <system>\nMAILADDR root\n# Written by Imprint for this machine.\n' +
        'ARRAY /dev/md/mirror metadata=1.2 UUID=1:2:3:4\nARRAY /dev/md/pool metadata=1.2 UUID=5:6:7:8\n',
    );
    expect(renderMdadmConf(stack.raids, once)).toBe(once);
    const bare = renderMdadmConf(stack.raids);
    expect(bare).toContain('\nMAILADDR root\n');
    expect(renderMdadmConf(stack.raids, bare).match(/MAILADDR/g)).toHaveLength(1);
  });

  it('has what is below the root opened before it, and the rest later', () => {
    expect(renderCrypttab(stack.crypts).split('\n').slice(1, 3)).toEqual([
      'secret\tUUID=u-1\tnone\tluks,discard,initramfs',
      'data\tUUID=u-2\t/etc/keys/data.key\tluks,discard',
    ]);
  });

  it('tells the initial RAM disk only what is below the root', () => {
    const files = initramfsFiles(stack);
    expect(files.map(({ path }) => path)).toEqual([
      ...['etc/mdadm/mdadm.conf', 'etc/mdadm.conf', 'cryptroot/crypttab', 'etc/crypttab'],
    ]);
    for (const { content } of files) expect(content).not.toMatch(/pool|keys/);
    expect(initramfsFiles(undefined)).toEqual([]);
    expect(initramfsFiles({ raids: [], crypts: [], groups: [{ name: 'vg0', root: true }] })).toEqual([]);
  });

  it('has no initial RAM disk begin an array that the system is to start, whole or not', () => {
    const [conf] = initramfsFiles({
      raids: [{ name: 'pool', uuid: '5:6:7:8', metadata: '1.2' }],
      crypts: [],
      groups: [],
    });
    expect(conf?.path).toBe('etc/mdadm/mdadm.conf');
    expect(conf?.content).toMatch(/^AUTO -all$/m);
    expect(conf?.content).not.toContain('ARRAY');
    const both = initramfsFiles(stack)[0]?.content;
    expect(both).toMatch(/^ARRAY [^\n]*UUID=1:2:3:4$/m);
    expect(both).toMatch(/^AUTO -all$/m);
  });

  it('names what dracut is to set in motion', () => {
    expect(stackArguments(stack, 'dracut')).toEqual([
      ...['rd.md.uuid=1:2:3:4', 'rd.luks.name=u-1=secret', 'rd.lvm.vg=vg0'],
    ]);
    expect(stackArguments(stack, 'initramfs-tools')).toEqual([]);
  });

  it('names a root in a volume, and one in a subvolume', () => {
    const root = { purpose: 'in-place', uuid: 'u', device: volumeDevice('vg-0', 'root'), subvolume: '@' } as const;
    const words = bootArguments({ root, initramfs: 'dracut', options: ['quiet'], stack });
    expect(words.slice(0, 3)).toEqual(['root=/dev/mapper/vg--0-root', 'rootflags=subvol=@', 'rd.md.uuid=1:2:3:4']);
  });

  it('has UUIDs as mdadm has them', () => {
    expect(raidUuid('01234567-89AB-4def-8123-456789abcdef')).toBe('01234567:89ab4def:81234567:89abcdef');
  });
});
