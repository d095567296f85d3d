import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fakeProcesses } from '../../../tests/fake-processes.ts';
import { Task } from '../../foundation/task.ts';
import { writeNetwork } from './write-network.ts';

const network = {
  ...{ mac: '52:54:00:12:34:56', interface: 'eth0', kernelNames: false, address: '10.0.0.5', prefix: 24 },
  ...{ gateway: '10.0.0.1', dns: ['10.0.0.1'] },
};
let root: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'imprint-network-test-'));
});
afterEach(() => rm(root, { recursive: true, force: true }));

async function put(files: Record<string, string>): Promise<void> {
  for (const [path, text] of Object.entries(files)) {
    await mkdir(join(root, dirname(path)), { recursive: true });
    await writeFile(join(root, path), text);
  }
}

const write = (more: object = {}) => {
  const processes = fakeProcesses(() => 'ID_NET_NAME_PATH=enp1s0\n');
  return writeNetwork(root, { ...network, ...more }, processes, Task.silent());
};

describe('writeNetwork', () => {
  it('lays the golden machine’s netplan aside', async () => {
    await put({ 'usr/sbin/netplan': '', 'etc/netplan/50-cloud-init.yaml': 'network: {}\n' });
    expect(await write()).toBe('netplan');
    expect((await readdir(join(root, 'etc/netplan'))).sort()).toEqual(['01-imprint.yaml', '50-cloud-init.yaml.golden']);
    expect((await stat(join(root, 'etc/netplan/01-imprint.yaml'))).mode & 0o777).toBe(0o600);
  });

  it('goes by what is enabled', async () => {
    await put({ 'sbin/ifup': '', 'etc/systemd/system/multi-user.target.wants/NetworkManager.service': '' });
    expect(await write()).toBe('networkmanager');
    await rm(join(root, 'etc/systemd/system/multi-user.target.wants/NetworkManager.service'));
    await put({ 'etc/systemd/system/multi-user.target.wants/systemd-networkd.service': '' });
    expect(await write()).toBe('networkd');
  });

  it('tells ifupdown what the card will be called, and who looks up names', async () => {
    await put({
      'sbin/ifup': '',
      'etc/network/interfaces': 'auto ens3\niface ens3 inet dhcp\n',
      'etc/resolv.conf': 'nameserver 9.9.9.9\n',
    });
    expect(await write()).toBe('ifupdown');
    const read = (path: string) => readFile(join(root, path), 'utf8');
    expect(await read('etc/network/interfaces')).toContain(
      'iface enp1s0 inet static\n  address 10.0.0.5/24\n  gateway 10.0.0.1\n',
    );
    expect(await read('etc/network/interfaces.golden')).toContain('iface ens3 inet dhcp');
    expect(await read('etc/resolv.conf')).toContain('nameserver 10.0.0.1');
    await write({ kernelNames: true });
    expect(await read('etc/network/interfaces')).toContain('iface eth0 inet static');
  });

  it('writes nothing where nobody is known who would read it', async () => {
    expect(await write()).toBeUndefined();
    expect(await readdir(root)).toEqual([]);
  });
});
