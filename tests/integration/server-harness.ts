import { randomBytes, verify } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseEventStream, type ServerSentEvent } from '../../src/cli/event-stream.ts';
import {
  type ImagerOrder,
  type ImagerOutcome,
  imagerOrderSchema,
  signedAnswerSchema,
} from '../../src/contract/imager-protocol.ts';
import type { MachineFacts } from '../../src/contract/machine.ts';
import { Task, type TaskEvent } from '../../src/foundation/task.ts';
import { parsePublicKey } from '../../src/image/signature.ts';
import { type ServeOptions, serve } from '../../src/server/serve.ts';
import { DirectoryStore } from '../../src/store/directory-store.ts';
import { ensureServerKey } from '../../src/store/keys.ts';
import { commitFiles } from '../contract/store-fixture.ts';

interface Answer {
  status: number;
  // biome-ignore lint/suspicious/noExplicitAny: JSON from the wire, which the tests look into by name
  body: any;
}

/** A real server on a free loopback port, with a store that holds `web:1`, signed. */
export interface RunningServer extends AsyncDisposable {
  readonly url: string;
  readonly data: string;
  readonly store: DirectoryStore;
  readonly token: string;
  /** Lines that were announced, and what was logged. */
  readonly announced: string[];
  call(operation: string, input?: object): Promise<Answer>;
  read(operation: string, input?: Record<string, string>): Promise<Answer>;
  /** Ends it and starts it again on the same data. */
  stop(): Promise<void>;
}

export async function startServer(given: Partial<ServeOptions> & { keepData?: string } = {}): Promise<RunningServer> {
  const { keepData, ...options } = given;
  const data = keepData ?? (await mkdtemp(join(tmpdir(), 'imprint-server-')));
  const { signer } = await ensureServerKey(data);
  const store = await DirectoryStore.open(join(data, 'store'), { create: true, signer });
  if (keepData === undefined) await commitFiles(store, 'web', { hostname: Buffer.from('golden\n') }, ['stable']);
  const ending = new AbortController();
  const announced: string[] = [];
  let url = '';
  let serving: Promise<void> = Promise.resolve();
  await new Promise<void>((resolve, reject) => {
    serving = serve({
      data,
      listen: '127.0.0.1:0',
      proxyDhcp: false,
      allowForeignDhcp: false,
      signal: ending.signal,
      announce: (line) => announced.push(line),
      ready: (at) => {
        url = at;
        resolve();
      },
      log: { write: () => {} },
      ...options,
    });
    serving.catch(reject);
  }).catch(async (error: unknown) => {
    if (keepData === undefined) await rm(data, { recursive: true, force: true });
    throw error;
  });
  const token = (await readFile(join(data, 'admin-token'), 'utf8')).trim();
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const answer = async (response: Response) => ({ status: response.status, body: await response.json() });
  const stop = async () => {
    ending.abort();
    await serving;
  };
  return {
    url,
    data,
    store,
    token,
    announced,
    call: async (operation, input = {}) =>
      answer(await fetch(`${url}/api/v1/${operation}`, { method: 'POST', headers, body: JSON.stringify(input) })),
    read: async (operation, input = {}) =>
      answer(await fetch(`${url}/api/v1/${operation}?${new URLSearchParams(input)}`, { headers })),
    stop,
    [Symbol.asyncDispose]: async () => {
      await stop();
      await rm(data, { recursive: true, force: true });
    },
  };
}

export function factsOf(mac: string, more: Partial<MachineFacts> = {}): MachineFacts {
  return {
    architecture: 'x86_64',
    cpu: 'QEMU Virtual CPU',
    cores: 2,
    memory: 2 ** 31,
    firmware: 'bios',
    interfaces: [{ name: 'eth0', mac, address: '10.9.0.77', carrier: true }],
    disks: [
      {
        path: '/dev/vda',
        size: 2 ** 34,
        sectorSize: 512,
        removable: false,
        readOnly: false,
        content: 'empty',
        inUse: [],
      },
    ],
    ...more,
  };
}

/** An imager that does nothing but talk. */
export class TalkingImager {
  readonly session = randomBytes(16).toString('hex');
  readonly #server: RunningServer;
  readonly #facts: MachineFacts;

  constructor(server: RunningServer, facts: MachineFacts) {
    this.#server = server;
    this.#facts = facts;
  }

  /** Asks, and checks that the answer was signed for this question. */
  async hello(waitSeconds = 0, more: object = {}): Promise<ImagerOrder['order']> {
    const nonce = randomBytes(32).toString('hex');
    const response = await this.#post('hello', {
      nonce,
      session: this.session,
      facts: this.#facts,
      waitSeconds,
      ...more,
    });
    const { payload, signature } = signedAnswerSchema.parse(await response.json());
    const { key } = parsePublicKey(await readFile(join(this.#server.data, 'keys/server.pub'), 'utf8'));
    if (!verify(null, Buffer.from(payload), key, Buffer.from(signature, 'base64'))) throw new Error('not signed');
    const answer = imagerOrderSchema.parse(JSON.parse(payload));
    if (answer.nonce !== nonce) throw new Error('an answer to another question');
    return answer.order;
  }

  async events(order: string, events: Partial<TaskEvent>[]): Promise<number> {
    const whole = events.map((event) => ({
      taskId: order,
      time: 1,
      path: ['install'],
      kind: 'log',
      message: '',
      ...event,
    }));
    return (await this.#post('events', { session: this.session, order, events: whole })).status;
  }

  async outcome(order: string, outcome: ImagerOutcome['outcome']): Promise<number> {
    return (await this.#post('outcome', { session: this.session, order, outcome })).status;
  }

  #post(what: string, body: object): Promise<Response> {
    return fetch(`${this.#server.url}/imager/v1/${what}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  }
}

/** Events of a stream until `enough` says so, or it ends. */
export async function readEvents(
  server: RunningServer,
  path: string,
  enough: (events: ServerSentEvent[]) => boolean,
  headers: Record<string, string> = {},
): Promise<ServerSentEvent[]> {
  const ending = new AbortController();
  const response = await fetch(`${server.url}${path}`, {
    headers: { authorization: `Bearer ${server.token}`, ...headers },
    signal: ending.signal,
  });
  if (!response.ok || !response.body) throw new Error(`${path} answered ${response.status}`);
  const events: ServerSentEvent[] = [];
  try {
    for await (const event of parseEventStream(response.body)) {
      events.push(event);
      if (enough(events)) break;
    }
  } finally {
    ending.abort();
  }
  return events;
}

/** Runs a task and keeps its events, as an imager would make them. */
export async function recordTask(id: string, name: string, work: (task: Task) => Promise<void>): Promise<TaskEvent[]> {
  const events: TaskEvent[] = [];
  await Task.run(name, (event) => events.push(event), work, { id, progressInterval: 0 }).catch(() => {});
  return events;
}
