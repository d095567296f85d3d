import { mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ImprintError } from '../../src/foundation/errors.ts';
import { commitFiles } from '../contract/store-fixture.ts';
import { factsOf, type RunningServer, readEvents, recordTask, startServer, TalkingImager } from './server-harness.ts';

const macOf = (last: number) => `52:54:00:aa:00:${last.toString(16).padStart(2, '0')}`;

describe('a server', () => {
  let server: RunningServer;
  beforeAll(async () => {
    server = await startServer();
  });
  afterAll(async () => {
    await server[Symbol.asyncDispose]();
  });

  test('tells nothing without its token, nor with a wrong one', async () => {
    for (const headers of [{}, { authorization: 'Bearer wrong' }, { cookie: 'imprint-session=wrong' }]) {
      const response = await fetch(`${server.url}/api/v1/machine.list`, { headers });
      expect(response.status).toBe(401);
      expect(await response.json()).toMatchObject({ error: { code: 'not-authorised', hint: expect.any(String) } });
      expect((await fetch(`${server.url}/api/v1/events`, { headers })).status).toBe(401);
    }
    expect((await stat(join(server.data, 'admin-token'))).mode & 0o777).toBe(0o600);
    expect(server.announced.join('\n')).toContain(server.token);
  });

  test('lets a page that logged in read, and change nothing', async () => {
    const login = (token: string) =>
      fetch(`${server.url}/login`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ token }),
      });
    expect((await login('wrong')).status).toBe(401);
    const cookie = (await login(server.token)).headers.get('set-cookie')?.split(';')[0] ?? '';
    expect((await fetch(`${server.url}/api/v1/server.status`, { headers: { cookie } })).status).toBe(200);
    const change = await fetch(`${server.url}/api/v1/machine.rm`, {
      method: 'POST',
      headers: { cookie, 'content-type': 'application/json' },
      body: JSON.stringify({ machines: 'web01' }),
    });
    expect(change.status).toBe(401);
  });

  test('explains bad input by the catalogue', async () => {
    expect(await server.call('machine.add', { machines: 'web[3-1]' })).toMatchObject({
      status: 400,
      body: { error: { code: 'input-invalid', message: expect.stringContaining('counts backwards') } },
    });
    expect(await server.call('machine.add', {})).toMatchObject({
      status: 400,
      body: { error: { code: 'input-invalid' } },
    });
    expect(await server.call('no.such')).toMatchObject({ status: 404, body: { error: { code: 'usage' } } });
    const broken = await fetch(`${server.url}/api/v1/machine.add`, {
      method: 'POST',
      headers: { authorization: `Bearer ${server.token}`, 'content-type': 'application/json' },
      body: '{"machines":',
    });
    expect(broken.status).toBe(400);
    expect(await broken.json()).toMatchObject({ error: { code: 'input-invalid' } });
  });

  test('describes itself as OpenAPI', async () => {
    const document = (await (await fetch(`${server.url}/api/openapi.json`)).json()) as { paths: object };
    expect(Object.keys(document.paths)).toEqual(
      expect.arrayContaining(['/api/v1/machine.add', '/api/v1/install.order', '/imager/v1/hello', '/boot/script']),
    );
  });

  test('gives the page with a policy that lets nothing else in', async () => {
    const response = await fetch(server.url);
    expect(response.headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(await response.text()).toMatch(/^<!doctype html>/i);
  });

  test('registers rows of machines, all or none', async () => {
    const added = await server.call('machine.add', {
      machines: 'row[01-03]',
      address: '10.9.1.11+',
      macs: [macOf(1), macOf(2).toUpperCase(), macOf(3).replaceAll(':', '-')],
      image: 'web',
    });
    expect(added.status).toBe(200);
    expect(added.body.machines).toMatchObject([
      { name: 'row01', address: '10.9.1.11', macs: [macOf(1)], state: 'assigned', approved: true },
      { name: 'row02', address: '10.9.1.12', macs: [macOf(2)] },
      { name: 'row03', address: '10.9.1.13', macs: [macOf(3)] },
    ]);
    for (const [input, words] of [
      [{ machines: 'row[03-04]' }, 'row03'],
      [{ machines: 'other[1-2]', address: '10.9.1.12+' }, '10.9.1.12'],
      [{ machines: 'other', macs: [macOf(2)] }, 'row02'],
    ] as const) {
      const refused = await server.call('machine.add', input);
      expect(refused).toMatchObject({ status: 409, body: { error: { code: 'machine-conflict' } } });
      expect(refused.body.error.message).toContain(words);
    }
    const listed = await server.read('machine.list', { machines: 'row[01-03]' });
    expect(listed.body.machines).toHaveLength(3);
    expect((await server.read('machine.show', { machine: 'row04' })).status).toBe(404);
    expect((await server.read('machine.show', { machine: macOf(2) })).body.name).toBe('row02');
    // Addresses move along within the row without standing in each other's way.
    const moved = await server.call('machine.set', { machines: 'row[01-03]', address: '10.9.1.12+' });
    expect(moved.body.machines.map(({ address }: { address: string }) => address)).toEqual([
      '10.9.1.12',
      '10.9.1.13',
      '10.9.1.14',
    ]);
    const cleared = await server.call('machine.set', { machines: 'row01', image: null, options: { disk: 'smallest' } });
    expect(cleared.body.machines[0]).toMatchObject({ state: 'registered', options: { disk: 'smallest' } });
    expect((await server.call('machine.rm', { machines: 'row[01-03]' })).body.removed).toHaveLength(3);
  });

  describe('the store over HTTP', () => {
    const get = (path: string, headers: Record<string, string> = {}, method = 'GET') =>
      fetch(`${server.url}/store/${path}`, { headers, method });
    const packOf = async () => {
      const files = await readdir(server.store.directory, { recursive: true });
      return files.find((name) => name.endsWith('.pack')) ?? '';
    };

    test('answers whole files, ranges, and what is past the end', async () => {
      const pack = await packOf();
      const content = await readFile(join(server.store.directory, pack));
      const whole = await get(pack);
      expect(whole.headers.get('cache-control')).toContain('immutable');
      expect(Buffer.from(await whole.arrayBuffer())).toEqual(content);
      const range = await get(pack, { range: 'bytes=3-9' });
      expect(range.status).toBe(206);
      expect(range.headers.get('content-range')).toBe(`bytes 3-9/${content.length}`);
      expect(Buffer.from(await range.arrayBuffer())).toEqual(content.subarray(3, 10));
      const tail = await get(pack, { range: 'bytes=-5' });
      expect(Buffer.from(await tail.arrayBuffer())).toEqual(content.subarray(-5));
      const past = await get(pack, { range: `bytes=${content.length}-` });
      expect(past.status).toBe(416);
      expect(past.headers.get('content-range')).toBe(`bytes */${content.length}`);
      const head = await get(pack, {}, 'HEAD');
      expect(head.headers.get('content-length')).toBe(String(content.length));
      const etag = whole.headers.get('etag') ?? '';
      expect((await get(pack, { 'if-none-match': etag })).status).toBe(304);
      expect((await get(pack, { range: 'bytes=0-1', 'if-range': etag })).status).toBe(206);
      expect((await get(pack, { range: 'bytes=0-1', 'if-range': '"other"' })).status).toBe(200);
    });

    test('gives nothing but a store’s public files', async () => {
      await mkdir(join(server.store.directory, 'hints'), { recursive: true });
      await writeFile(join(server.store.directory, 'hints', `${'a'.repeat(64)}.hints`), 'private');
      await symlink('/etc/passwd', join(server.store.directory, 'images', 'web', 'evil')).catch(() => {});
      const token = await readFile(join(server.data, 'admin-token'), 'utf8');
      for (const path of [
        '../admin-token',
        '%2e%2e/admin-token',
        '..%2fadmin-token',
        'images/web/../../../admin-token',
        'images/web/evil',
        `hints/${'a'.repeat(64)}.hints`,
        'lock',
        '',
        'images/',
        'packs/aa/',
        'images/web/1.json%00',
      ]) {
        const response = await get(path);
        expect([400, 404], path).toContain(response.status);
        expect(await response.text()).not.toContain(token.trim());
      }
      expect((await get('images/web/1.json')).status).toBe(200);
      expect((await get('images/web/1.json.minisig')).status).toBe(200);
      expect((await get('images/web/2.json')).status).toBe(404);
      expect((await get('imprint-store.json')).status).toBe(200);
    });
  });

  test('shows images, and which machines have them', async () => {
    const { body } = await server.read('image.list');
    expect(body.images).toMatchObject([{ name: 'web', versions: [{ number: 1, tags: ['stable'], signed: true }] }]);
  });
});

describe('a machine', () => {
  let server: RunningServer;
  beforeAll(async () => {
    server = await startServer();
  });
  afterAll(async () => {
    await server[Symbol.asyncDispose]();
  });
  const show = async (machine: string) => (await server.read('machine.show', { machine })).body;
  const script = async (mac: string) => (await fetch(`${server.url}/boot/script?mac=${mac}&platform=pcbios`)).text();

  test('is discovered, named, ordered, installed, healthy, and installed once only', async () => {
    const mac = macOf(0x10);
    expect(await script(mac)).toContain('vmlinuz');
    const imager = new TalkingImager(server, factsOf(mac, { uuid: '00000000-0000-0000-0000-000000000000' }));
    const found = await imager.hello();
    const name = `mac-${mac.replaceAll(':', '')}`;
    expect(found).toMatchObject({ kind: 'wait', name });
    const discovered = await show(name);
    expect(discovered).toMatchObject({ state: 'discovered', approved: false, facts: { memory: 2 ** 31 } });
    expect(discovered.uuid).toBeUndefined();
    expect(await server.call('install.order', { machines: name, image: 'web' })).toMatchObject({
      status: 409,
      body: { error: { code: 'machine-not-approved' } },
    });

    const named = await server.call('machine.approve', { machine: name, name: 'web01', address: '10.9.0.11' });
    expect(named.body).toMatchObject({ name: 'web01', state: 'registered', approved: true, address: '10.9.0.11' });

    // The imager waits; the order wakes it at once.
    const asking = imager.hello(30);
    await sleep(200);
    const before = Date.now();
    const ordered = await server.call('install.order', { machines: 'web01', image: 'web', options: { swap: 1024 } });
    expect(ordered.body.orders).toMatchObject([{ machine: 'web01', image: 'web:1' }]);
    const order = await asking;
    expect(Date.now() - before).toBeLessThan(15_000);
    const { record, signature, recordText } = await server.store.resolve('web:1');
    expect(order).toMatchObject({
      kind: 'install',
      id: ordered.body.orders[0].id,
      name: 'web01',
      address: '10.9.0.11',
      digest: record.digest,
      record: recordText,
      recordSignature: signature,
      store: `${server.url}/store`,
      options: { swap: 1024 },
    });
    if (order.kind !== 'install') throw new Error('no order');
    expect(await show('web01')).toMatchObject({ state: 'installing', task: order.id });
    expect(await server.call('install.order', { machines: 'web01', image: 'web' })).toMatchObject({
      status: 409,
      body: { error: { code: 'machine-busy' } },
    });
    expect(await server.call('machine.rm', { machines: 'web01' })).toMatchObject({ status: 409 });
    // A lost answer is given again.
    expect(await imager.hello()).toMatchObject({ kind: 'install', id: order.id });

    const events = await recordTask(order.id, `install web:1 on web01`, async (task) => {
      await task.part('restore', async (part) => {
        part.expect(10, 'bytes');
        part.advance(10);
      });
    });
    expect(await imager.events(order.id, events.slice(0, 3))).toBe(204);
    expect(await imager.events(order.id, events)).toBe(204);
    expect(await imager.outcome(order.id, { kind: 'installed', digest: order.digest, bootedFirmware: 'bios' })).toBe(
      204,
    );
    expect(await imager.outcome(order.id, { kind: 'installed', digest: order.digest, bootedFirmware: 'bios' })).toBe(
      204,
    );
    const installed = await show('web01');
    expect(installed).toMatchObject({ state: 'installed', installed: { image: 'web:1', digest: order.digest } });
    expect(installed.order).toBeUndefined();
    expect(installed.task).toBeUndefined();
    const { body } = await server.read('task.show', { task: order.id });
    expect(body.task).toMatchObject({ state: 'finished', machine: 'web01', title: 'install web:1 on web01' });
    expect(body.events.map(({ seq }: { seq: number }) => seq)).toEqual(
      Array.from({ length: events.length + 1 }, (_, index) => index + 1),
    );
    expect(body.events.at(-1)).toMatchObject({ kind: 'finished', path: ['install web:1 on web01'] });

    expect(await imager.hello()).toMatchObject({ kind: 'wait' });
    expect(await script(mac)).not.toContain('vmlinuz');
    const again = new TalkingImager(server, factsOf(mac));
    expect(await again.hello()).toMatchObject({ kind: 'boot-disk' });
    expect(await again.outcome(order.id, { kind: 'healthy', digest: order.digest })).toBe(204);
    expect(await show('web01')).toMatchObject({ state: 'healthy' });
    expect((await server.read('image.list')).body.images[0].versions[0].machines).toEqual(['web01']);
  });

  test('that was cut off in the middle installs afresh at its next boot, and says so', async () => {
    const mac = macOf(0x20);
    await server.call('machine.add', { machines: 'cut', macs: [mac], image: 'web' });
    const [placed] = (await server.call('install.order', { machines: 'cut' })).body.orders;
    const first = new TalkingImager(server, factsOf(mac));
    expect(await first.hello()).toMatchObject({ kind: 'install', id: placed.id });
    await first.events(placed.id, [{ seq: 1, kind: 'started', message: 'install' }]);
    expect(await script(mac)).toContain('vmlinuz');
    const second = new TalkingImager(server, factsOf(mac));
    expect(await second.hello()).toMatchObject({ kind: 'install', id: placed.id });
    // The boot that is gone is not believed any longer.
    expect(await first.events(placed.id, [{ seq: 2, message: 'late' }])).toBe(409);
    expect(await first.outcome(placed.id, { kind: 'installed', digest: placed.digest, bootedFirmware: 'bios' })).toBe(
      409,
    );
    await second.events(placed.id, [{ seq: 1, kind: 'started', message: 'install' }]);
    const { events } = (await server.read('task.show', { task: placed.id })).body;
    expect(events.map(({ kind }: { kind: string }) => kind)).toEqual(['log', 'started', 'warning', 'started']);
    expect(await second.events('no-such-order', [])).toBe(404);
  });

  test('whose install is refused waits with the reason, and tries again once something was changed', async () => {
    const mac = macOf(0x30);
    await server.call('machine.add', { machines: 'two-disks', macs: [mac], image: 'web' });
    const [placed] = (await server.call('install.order', { machines: 'two-disks' })).body.orders;
    const imager = new TalkingImager(server, factsOf(mac));
    await imager.hello();
    const error = new ImprintError('disk-ambiguous', {
      machine: 'two-disks',
      count: 2,
      disks: '/dev/vda, /dev/vdb',
      example: '/dev/vda',
    }).toValue();
    expect(await imager.outcome(placed.id, { kind: 'refused', error })).toBe(204);
    const refused = await show('two-disks');
    expect(refused).toMatchObject({ state: 'failed', problem: { code: 'disk-ambiguous' }, order: { id: placed.id } });
    const { task, events } = (await server.read('task.show', { task: placed.id })).body;
    expect(task.state).toBe('failed');
    expect(events.at(-1)).toMatchObject({ kind: 'failed', error: { code: 'disk-ambiguous' } });
    expect(await imager.hello()).toMatchObject({ kind: 'wait', message: expect.stringContaining('machine set') });

    const asking = imager.hello(30);
    await sleep(100);
    await server.call('machine.set', { machines: 'two-disks', options: { disk: '/dev/vda' } });
    const order = await asking;
    expect(order).toMatchObject({ kind: 'install', options: { disk: '/dev/vda' } });
    if (order.kind !== 'install') throw new Error('no order');
    expect(order.id).not.toBe(placed.id);
    expect(
      await imager.outcome(order.id, { kind: 'failed', error: new ImprintError('interrupted', {}).toValue() }),
    ).toBe(204);
    expect(await show('two-disks')).toMatchObject({ state: 'failed' });
    // The same boot does not try for ever; the next one does.
    expect(await imager.hello()).toMatchObject({ kind: 'wait' });
    expect(await new TalkingImager(server, factsOf(mac)).hello()).toMatchObject({ kind: 'install' });
  });

  test('whose imager trusts another key has its order refused, with the reason', async () => {
    const mac = macOf(0x38);
    await server.call('machine.add', { machines: 'stranger', macs: [mac], image: 'web' });
    await server.call('install.order', { machines: 'stranger' });
    const imager = new TalkingImager(server, factsOf(mac));
    await imager.hello();
    const problem = new ImprintError('signature-wrong', { what: 'the answer', key: 'ABC' }).toValue();
    expect(await imager.hello(0, { problem })).toMatchObject({ kind: 'wait' });
    expect(await show('stranger')).toMatchObject({ state: 'failed', problem: { code: 'signature-wrong' } });
  });

  test('is not told apart from another one by a UUID, nor installed where its cards belong to two', async () => {
    const uuid = '12345678-1234-1234-1234-123456789abc';
    const [left, right] = [macOf(0x40), macOf(0x41)];
    await server.call('machine.add', { machines: 'twin[1-2]', macs: [left, right], image: 'web' });
    await server.call('install.order', { machines: 'twin[1-2]' });
    const both = factsOf(left, { uuid, interfaces: [left, right].map((mac, index) => ({ name: `eth${index}`, mac })) });
    expect(await new TalkingImager(server, both).hello()).toMatchObject({ kind: 'wait' });
    const other = await new TalkingImager(server, factsOf(macOf(0x42), { uuid })).hello();
    expect(other).toMatchObject({ kind: 'wait', name: `mac-${macOf(0x42).replaceAll(':', '')}` });
  });

  test('takes a place that was kept for it, with its address, image and order', async () => {
    await server.call('machine.add', { machines: 'kept', address: '10.9.0.99', image: 'web' });
    await server.call('install.order', { machines: 'kept' });
    const mac = macOf(0x50);
    const imager = new TalkingImager(server, factsOf(mac));
    await imager.hello();
    const approved = await server.call('machine.approve', { machine: mac, name: 'kept' });
    expect(approved.body).toMatchObject({ name: 'kept', address: '10.9.0.99', macs: [mac], facts: { cores: 2 } });
    expect(await imager.hello()).toMatchObject({ kind: 'install', name: 'kept' });
    expect(await server.call('machine.approve', { machine: mac, name: 'another' })).toMatchObject({ status: 409 });
  });

  test('is not given what is not signed, or not there', async () => {
    const mac = macOf(0x60);
    await server.call('machine.add', { machines: 'careful', macs: [mac] });
    expect(await server.call('install.order', { machines: 'careful' })).toMatchObject({
      status: 400,
      body: { error: { code: 'input-invalid' } },
    });
    expect(await server.call('install.order', { machines: 'careful', image: 'none' })).toMatchObject({ status: 404 });
    const { DirectoryStore } = await import('../../src/store/directory-store.ts');
    const unsigned = await DirectoryStore.open(server.store.directory);
    await commitFiles(unsigned, 'unsigned', { a: Buffer.from('a') });
    expect(await server.call('install.order', { machines: 'careful', image: 'unsigned' })).toMatchObject({
      status: 409,
      body: { error: { code: 'signature-missing' } },
    });
    expect(await show('careful')).toMatchObject({ state: 'registered' });
  });

  test('has its order cancelled; in the middle only by force', async () => {
    const mac = macOf(0x70);
    await server.call('machine.add', { machines: 'maybe', macs: [mac], image: 'web' });
    const [placed] = (await server.call('install.order', { machines: 'maybe' })).body.orders;
    expect((await server.call('install.cancel', { machines: 'maybe' })).body.cancelled).toEqual(['maybe']);
    expect(await show('maybe')).toMatchObject({ state: 'assigned' });
    expect((await server.read('task.show', { task: placed.id })).body.task.state).toBe('failed');
    const [second] = (await server.call('install.order', { machines: 'maybe' })).body.orders;
    const imager = new TalkingImager(server, factsOf(mac));
    await imager.hello();
    expect((await server.call('install.cancel', { machines: 'maybe' })).status).toBe(409);
    expect((await server.call('install.cancel', { machines: 'maybe', force: true })).status).toBe(200);
    expect(await show('maybe')).toMatchObject({
      state: 'failed',
      problem: { message: expect.stringContaining('cancelled') },
    });
    expect(await imager.events(second.id, [{ seq: 1 }])).toBe(409);
  });

  test('can be watched: live, resumed without loss or repetition, to the end', async () => {
    const mac = macOf(0x80);
    await server.call('machine.add', { machines: 'watched', macs: [mac], image: 'web' });
    const [placed] = (await server.call('install.order', { machines: 'watched' })).body.orders;
    const path = `/api/v1/tasks/${placed.id}/events`;
    const imager = new TalkingImager(server, factsOf(mac));
    const all = readEvents(server, '/api/v1/events', (events) => events.some(({ data }) => data.includes('"healthy"')));
    await imager.hello();
    const first = readEvents(server, path, (events) => events.length === 3);
    for (let seq = 1; seq <= 4; seq += 1) await imager.events(placed.id, [{ seq, message: `step ${seq}` }]);
    expect((await first).map(({ id }) => id)).toEqual(['1', '2', '3']);
    const rest = readEvents(server, path, ({ length }) => length > 100, { 'last-event-id': '3' });
    for (let seq = 5; seq <= 30; seq += 1) {
      await Promise.all([imager.events(placed.id, [{ seq, message: `step ${seq}` }])]);
    }
    await imager.outcome(placed.id, { kind: 'installed', digest: placed.digest, bootedFirmware: 'uefi' });
    const ids = (await rest).map(({ event, id }) => (event === 'end' ? 'end' : id));
    expect(ids).toEqual([...Array.from({ length: 29 }, (_, index) => String(index + 4)), 'end']);
    await imager.outcome(placed.id, { kind: 'healthy', digest: placed.digest });
    const kinds = new Set((await all).map(({ event }) => event));
    expect(kinds).toEqual(new Set(['machine', 'task', 'task-state']));
    expect(
      (
        await fetch(`${server.url}/api/v1/tasks/nonsense/events`, {
          headers: { authorization: `Bearer ${server.token}` },
        })
      ).status,
    ).toBe(404);
  });
});

describe('starting and stopping', () => {
  test('a second server on the same data, or the same port, is refused by name', async () => {
    await using server = await startServer();
    const { port } = new URL(server.url);
    expect(JSON.parse(await readFile(join(server.data, 'server.json'), 'utf8'))).toMatchObject({
      url: server.url,
      pid: process.pid,
    });
    await using holder = await new Promise<AsyncDisposable & { port: number }>((resolve) => {
      const socket = createServer().listen(0, '127.0.0.1', () => {
        const address = socket.address() as { port: number };
        resolve({ port: address.port, [Symbol.asyncDispose]: async () => void socket.close() });
      });
    });
    expect(port).not.toBe('0');
    await expect(startServer({ listen: `127.0.0.1:${holder.port}` })).rejects.toMatchObject({ code: 'port-in-use' });
    await expect(startServer({ listen: 'nonsense:port' })).rejects.toMatchObject({ code: 'usage' });
    await expect(startServer({ netboot: 'no-such-interface' })).rejects.toMatchObject({ code: 'netboot-unfit' });
    const other = join(server.data, 'other');
    await mkdir(other);
    // Another process that lives says that it serves that directory.
    const stat1 = await readFile('/proc/1/stat', 'utf8');
    const processStart = stat1.slice(stat1.lastIndexOf(')') + 2).split(' ')[19];
    const running = { url: 'http://127.0.0.1:1', pid: 1, processStart };
    await writeFile(join(other, 'server.json'), JSON.stringify(running));
    await expect(startServer({ keepData: other })).rejects.toMatchObject({ code: 'server-running' });
    // One that is long gone says nothing.
    await writeFile(join(other, 'server.json'), JSON.stringify({ ...running, processStart: '1' }));
    const second = await startServer({ keepData: other });
    await second.stop();
    await expect(stat(join(other, 'server.json'))).rejects.toThrow();
  });

  test('a stop answers who waits, and what was ordered stands after a restart', async () => {
    await using server = await startServer();
    await server.call('machine.add', { machines: 'web01', macs: [macOf(1)], image: 'web' });
    const imager = new TalkingImager(server, factsOf(macOf(1)));
    const waiting = imager.hello(50);
    const stream = readEvents(server, '/api/v1/events', () => false);
    await sleep(200);
    const before = Date.now();
    await server.stop();
    expect(await waiting).toMatchObject({ kind: 'wait' });
    await stream.catch(() => {});
    expect(Date.now() - before).toBeLessThan(15_000);
    const again = await startServer({ keepData: server.data });
    const [placed] = (await again.call('install.order', { machines: 'web01' })).body.orders;
    await again.stop();
    const third = await startServer({ keepData: server.data });
    expect(await new TalkingImager(third, factsOf(macOf(1))).hello()).toMatchObject({ kind: 'install', id: placed.id });
    expect(third.announced.join('\n')).not.toContain(third.token);
    await third.stop();
  });
});
