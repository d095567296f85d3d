import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';

const run = promisify(execFile);
const project = join(import.meta.dirname, '../..');
const node = join(project, 'node_modules/.bin/node');
const isRoot = process.getuid?.() === 0;

/** A network of its own: one namespace with the server's interface, one with whatever else is on the wire. */
class Wire implements AsyncDisposable {
  readonly server = `imprint-s-${process.pid}`;
  readonly others = `imprint-o-${process.pid}`;
  readonly #children: ReturnType<typeof spawn>[] = [];
  directory = '';

  static async make(): Promise<Wire> {
    const wire = new Wire();
    wire.directory = await mkdtemp(join(tmpdir(), 'imprint-netboot-'));
    await run('ip', ['netns', 'add', wire.server]);
    await run('ip', ['netns', 'add', wire.others]);
    await run('ip', [
      '-n',
      wire.server,
      'link',
      'add',
      'lan0',
      'type',
      'veth',
      'peer',
      'name',
      'lan0',
      'netns',
      wire.others,
    ]);
    for (const [name, address] of [
      [wire.server, '10.9.0.1/24'],
      [wire.others, '10.9.0.2/24'],
    ] as const) {
      await run('ip', ['-n', name, 'link', 'set', 'lo', 'up']);
      await run('ip', ['-n', name, 'address', 'add', address, 'dev', 'lan0']);
      await run('ip', ['-n', name, 'link', 'set', 'lan0', 'up']);
    }
    return wire;
  }

  /** A DHCP server that is not ours. */
  async foreignDhcp(): Promise<void> {
    const { directory } = this;
    const child = spawn('ip', [
      ...['netns', 'exec', this.others, 'dnsmasq', '--keep-in-foreground', '--conf-file=/dev/null', '--port=0'],
      ...['--interface=lan0', '--bind-interfaces', '--user=root', '--dhcp-range=10.9.0.150,10.9.0.160,5m'],
      ...[`--pid-file=${directory}/foreign.pid`, `--dhcp-leasefile=${directory}/foreign.leases`],
    ]);
    this.#children.push(child);
    await sleep(500);
  }

  /** `imprint serve`; resolves with its exit status and what it said, or with `undefined` once it is ready. */
  async serve(...args: string[]) {
    const { directory } = this;
    const program = join(project, 'src/imprint.ts');
    const words = [
      'serve',
      '--data',
      join(directory, 'data'),
      '--netboot',
      'lan0',
      '--listen',
      '10.9.0.1:4280',
      ...args,
    ];
    const child = spawn('ip', ['netns', 'exec', this.server, node, program, ...words]);
    this.#children.push(child);
    let said = '';
    child.stdout.on('data', (text) => {
      said += text;
    });
    child.stderr.on('data', (text) => {
      said += text;
    });
    const ended = once(child, 'exit').then(([status]) => status as number | null);
    const ready = async () => {
      while (!said.includes('"ready"')) await sleep(50);
      return undefined;
    };
    const status = await Promise.race([ended, ready()]);
    return { child, status, ended, said: () => said };
  }

  /** One DHCP exchange of a client on the wire with this MAC address: what it was told. */
  async dhcp(mac: string, ...more: string[]): Promise<string> {
    const script = join(this.directory, 'script');
    await writeFile(script, '#!/bin/sh\nenv\n', { mode: 0o755 });
    await run('ip', ['-n', this.others, 'link', 'set', 'lan0', 'address', mac]);
    const args = [
      'netns',
      'exec',
      this.others,
      'busybox',
      'udhcpc',
      '-i',
      'lan0',
      '-n',
      '-q',
      '-f',
      '-t',
      '5',
      '-T',
      '1',
      '-s',
      script,
    ];
    return (await run('ip', [...args, ...more]).catch((error) => ({ stdout: String(error.stdout) }))).stdout;
  }

  async inOthers(...command: string[]): Promise<string> {
    return (await run('ip', ['netns', 'exec', this.others, ...command], { maxBuffer: 1 << 24 })).stdout;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#children) {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill('SIGTERM');
        await Promise.race([once(child, 'exit'), sleep(8000)]);
      }
    }
    await run('ip', ['netns', 'del', this.server]).catch(() => {});
    await run('ip', ['netns', 'del', this.others]).catch(() => {});
    await rm(this.directory, { recursive: true, force: true });
  }
}

async function call(wire: Wire, operation: string, input: object): Promise<void> {
  const token = (await readFile(join(wire.directory, 'data/admin-token'), 'utf8')).trim();
  const url = `http://10.9.0.1:4280/api/v1/${operation}`;
  const script = `fetch(${JSON.stringify(url)}, { method: 'POST', body: ${JSON.stringify(JSON.stringify(input))},
    headers: { authorization: 'Bearer ${token}', 'content-type': 'application/json' } })
    .then(async (answer) => { if (!answer.ok) throw new Error(await answer.text()); })`;
  await wire.inOthers(node, '-e', script);
}

describe.skipIf(!isRoot)('netboot', () => {
  test('hands out addresses, boot files and scripts, and follows the machines at once', async () => {
    await using wire = await Wire.make();
    const server = await wire.serve();
    expect(server.status, server.said()).toBeUndefined();
    const stranger = await wire.dhcp('52:54:00:00:00:aa', '-x', '93:0000', '-O', '67', '-O', 'tftp');
    expect(stranger).toMatch(/^ip=10\.9\.0\.(1[2-9]\d|2\d\d)$/m);
    expect(stranger).toMatch(/^(boot_file|bootfile)=undionly\.kpxe$/m);
    expect(await wire.dhcp('52:54:00:00:00:aa', '-x', '93:0007')).toMatch(/file=snponly\.efi$/m);
    // Option 175 is how iPXE says that it is iPXE.
    expect(await wire.dhcp('52:54:00:00:00:aa', '-x', '175:0101')).toMatch(/file=boot\.ipxe$/m);

    await call(wire, 'machine.add', { machines: 'web01', macs: ['52:54:00:00:00:bb'], address: '10.9.0.11' });
    await sleep(300);
    expect(await wire.dhcp('52:54:00:00:00:bb')).toMatch(/^ip=10\.9\.0\.11$/m);
    await call(wire, 'machine.set', { machines: 'web01', address: '10.9.0.12' });
    await sleep(300);
    expect(await wire.dhcp('52:54:00:00:00:bb')).toMatch(/^ip=10\.9\.0\.12$/m);
    expect(await readFile(join(wire.directory, 'data/dnsmasq/hosts'), 'utf8')).toBe('10.9.0.12\tweb01\n');

    await run('ip', ['-n', wire.others, 'address', 'replace', '10.9.0.2/24', 'dev', 'lan0']);
    const tftp = ['busybox', 'tftp', '-g', '-l', '-', '-r', 'boot.ipxe', '10.9.0.1'];
    const script = await wire.inOthers(...tftp);
    expect(script).toContain('http://10.9.0.1:4280/boot/script?mac=');

    // dnsmasq that dies comes back; the server ends with it put away.
    const pidFile = join(wire.directory, 'data/dnsmasq/dnsmasq.pid');
    const first = Number(await readFile(pidFile, 'utf8'));
    process.kill(first, 'SIGKILL');
    await expect
      .poll(async () => Number(await readFile(pidFile, 'utf8').catch(() => '0')), { timeout: 10_000 })
      .not.toBe(first);
    await sleep(500);
    const second = Number(await readFile(pidFile, 'utf8'));
    expect(await wire.dhcp('52:54:00:00:00:bb')).toMatch(/^ip=10\.9\.0\.12$/m);
    server.child.kill('SIGTERM');
    await server.ended;
    expect(() => process.kill(second, 0)).toThrow();
  });

  test('refuses to start where another DHCP server answers, unless told to', async () => {
    await using wire = await Wire.make();
    await wire.foreignDhcp();
    const refused = await wire.serve();
    expect(refused.status, refused.said()).toBe(4);
    expect(refused.said()).toContain('10.9.0.2');
    const allowed = await wire.serve('--allow-foreign-dhcp');
    expect(allowed.status, allowed.said()).toBeUndefined();
    allowed.child.kill('SIGTERM');
    await allowed.ended;
    const proxy = await wire.serve('--proxy-dhcp');
    expect(proxy.status, proxy.said()).toBeUndefined();
    expect(await readFile(join(wire.directory, 'data/dnsmasq/dnsmasq.conf'), 'utf8')).toContain('10.9.0.0,proxy');
  });

  test('ends the dnsmasq of a server that was killed, and starts over', async () => {
    await using wire = await Wire.make();
    const killed = await wire.serve('--allow-foreign-dhcp');
    expect(killed.status, killed.said()).toBeUndefined();
    const pid = Number(await readFile(join(wire.directory, 'data/dnsmasq/dnsmasq.pid'), 'utf8'));
    const { pid: server } = JSON.parse(await readFile(join(wire.directory, 'data/server.json'), 'utf8'));
    process.kill(server, 'SIGKILL');
    await killed.ended;
    const again = await wire.serve('--allow-foreign-dhcp');
    expect(again.status, again.said()).toBeUndefined();
    // Nobody may be there to bury it; a zombie has no command line.
    expect(await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).toBe('');
  });
});
