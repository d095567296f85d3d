import type { AddressInfo } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { pino } from 'pino';
import packageInformation from '../../package.json' with { type: 'json' };
import { systemClock } from '../foundation/clock.ts';
import { ImprintError, toImprintError } from '../foundation/errors.ts';
import { type Context, createContext } from '../operations/context.ts';
import { noteSilence } from '../operations/note-silence.ts';
import { findInterface, type Netboot, runNetboot } from '../operations/run-netboot.ts';
import { expiringTrust } from '../operations/trust/expiry.ts';
import { makeDirectories } from '../store/make-directories.ts';
import { ensureAdminToken } from './authentication.ts';
import { createHttpServer } from './http-server.ts';
import { announceRunning, refuseSecond } from './running-server.ts';

export interface ServeOptions {
  /** The data directory. */
  data: string;
  /** The store's directory; absent: `DATA/store`. */
  store?: string;
  /** A trust document or public key file; absent: what the data directory knows. */
  trust?: string;
  /** `HOST:PORT`, `:PORT` or `PORT`; port 0 takes a free one. Absent: `0.0.0.0:4280`. */
  listen?: string;
  /** How machines reach this server, where that is not plain. */
  url?: string;
  /** The interface to serve DHCP, TFTP and the imager on. */
  netboot?: string;
  proxyDhcp: boolean;
  dhcpRange?: string;
  allowForeignDhcp: boolean;
  debug?: boolean;
  /** Ends the server. */
  signal: AbortSignal;
  /** Lines for people. */
  announce(line: string): void;
  /** Called once all is up, with the URL for use on this machine. */
  ready?(url: string): void;
  /** Where log lines go (NDJSON). Absent: stderr; only warnings where that is a terminal. */
  log?: { write(line: string): void };
}

const defaultListen = '0.0.0.0:4280';
const silenceInterval = 5000;
const tasksKept = 90 * 24 * 3600 * 1000;

/**
 * The image server, from start to stop; resolves when `signal` has ended it and all is put away. Errors: `server-running`,
 * `port-in-use`, `netboot-unfit`, `dhcp-foreign`, `database-unfit`, and those of the file system.
 */
export async function serve(options: ServeOptions): Promise<void> {
  const { signal, announce } = options;
  const log = pino(
    { level: options.debug ? 'debug' : !options.log && process.stderr.isTTY ? 'warn' : 'info', base: null },
    options.log ?? pino.destination({ fd: 2, sync: true }),
  );
  // In reverse order at the end, whatever happened in between.
  await using stack = new AsyncDisposableStack();
  try {
    const { store, trust } = options;
    const context = stack.use(
      createContext({
        data: options.data,
        ...(store !== undefined && { store }),
        ...(trust !== undefined && { trust }),
        log,
      }),
    );
    const { paths, storeLocation } = context;
    await makeDirectories(paths.data, 0o755);
    await refuseSecond(paths.serverFile, paths.data);
    const network = options.netboot === undefined ? undefined : findInterface(options.netboot);
    const token = await ensureAdminToken(paths.adminToken);
    const key = await context.key();
    const { tasks } = await context.database();
    await tasks.removeEndedBefore(context.clock.now() - tasksKept);

    const stopping = new AbortController();
    let netboot: Netboot | undefined;
    const facts = {
      version: packageInformation.version,
      started: context.clock.now(),
      url: '',
      netboot: async () => netboot?.status(),
    };
    const url = options.url?.replace(/\/+$/, '');
    const http = await createHttpServer({
      context,
      log,
      adminToken: token.token,
      facts,
      ...(url !== undefined && { url }),
      stopping: stopping.signal,
    });
    stack.defer(async () => {
      stopping.abort();
      // Long polls get their answer before their connections go.
      await systemClock.sleep(100);
      await http.close();
    });
    const address = await listen(http, options.listen ?? defaultListen);
    facts.url = `http://${hostFor(address, network?.address)}:${address.port}`;
    stack.use(watchSilence(context));
    if (options.netboot !== undefined && network) {
      announce(`Looking for other DHCP servers on ${network.name} …`);
      netboot = stack.use(
        await runNetboot(context, {
          interface: options.netboot,
          proxyDhcp: options.proxyDhcp,
          allowForeignDhcp: options.allowForeignDhcp,
          ...(options.dhcpRange !== undefined && { dhcpRange: options.dhcpRange }),
          server: url ?? `http://${network.address}:${address.port}`,
          signal,
        }),
      );
    }
    stack.defer(await announceRunning(paths.serverFile, paths.data, facts.url));
    log.info({ url: facts.url, data: paths.data, store: storeLocation, key: key.signer.publicKey.id }, 'ready');
    announce(`Imprint serves ${storeLocation} at ${facts.url} (key ${key.signer.publicKey.id})`);
    const trustProblem = await expiringTrust(context);
    if (trustProblem !== undefined) announce(trustProblem);
    if (token.created) announce(`Admin token, kept in ${paths.adminToken}: ${token.token}`);
    const netbootStatus = await netboot?.status();
    if (netbootStatus) {
      const how = netbootStatus.mode === 'proxy' ? 'proxyDHCP' : 'DHCP';
      announce(`Machines boot from ${netbootStatus.interface} (${how}, TFTP)`);
      if (!netbootStatus.imager) announce('The imager is missing; make it: imprint media netboot');
    }
    options.ready?.(facts.url);
    await ended(signal);
    log.info({}, 'stopping');
  } catch (thrown) {
    const error = toImprintError(thrown);
    log.error({ code: error.code, err: thrown }, error.message);
    throw error;
  }
}

async function listen(http: FastifyInstance, text: string): Promise<AddressInfo> {
  const match = /^(?:(?:\[([^\]]+)\]|([^:]*)):)?(\d{1,5})$/.exec(text.trim());
  const port = Number(match?.[3]);
  if (!match || port > 65_535) {
    const hint = 'Write it as 10.0.0.1:4280, [::1]:4280 or :4280.';
    throw new ImprintError('usage', { problem: `“${text}” is nothing to listen on.`, hint });
  }
  try {
    await http.listen({ host: match[1] || match[2] || '0.0.0.0', port });
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const known: Record<string, string> = {
      EADDRINUSE: 'something listens there already',
      EADDRNOTAVAIL: 'this machine has no such address',
      EACCES: 'ports below 1024 need root',
    };
    throw new ImprintError('port-in-use', { address: text, problem: known[code ?? ''] ?? message }, { cause });
  }
  const address = http.server.address();
  if (address === null || typeof address === 'string') throw new Error('a TCP server has an address');
  return address;
}

/** A host name for our URL: the address that we listen on, or one of those that a wildcard stands for. */
function hostFor({ address, family }: AddressInfo, netboot: string | undefined): string {
  if (address === '0.0.0.0' || address === '::') return netboot ?? '127.0.0.1';
  return family === 'IPv6' ? `[${address}]` : address;
}

function watchSilence(context: Context): Disposable {
  const timer = setInterval(() => {
    noteSilence(context).catch((thrown) => context.log.error({ err: thrown }, 'looking for silent machines failed'));
  }, silenceInterval);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

function ended(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
