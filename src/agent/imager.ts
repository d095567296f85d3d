/** Entry of the imager: what a bare machine runs. `boot/imager-init` starts it when the network is up. */
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { freemem } from 'node:os';
import { systemClock } from '../foundation/clock.ts';
import { toImprintError } from '../foundation/errors.ts';
import { parsePublicKey } from '../image/signature.ts';
import { runningAgentProgram } from '../operations/install/agent-program.ts';
import { openStore } from '../store/open-store.ts';
import { readMachineFacts } from '../system/machine-facts.ts';
import { systemPower } from '../system/power.ts';
import { systemProcesses } from '../system/run.ts';
import { setSystemTime } from '../system/set-time.ts';
import { restoreTree } from '../tree/restore-tree.ts';
import { ConsoleScreen } from './console-screen.ts';
import { fetchObject } from './fetch-object.ts';
import { type Imager, runImager } from './imager-loop.ts';
import { imagerSettings } from './imager-settings.ts';
import { readImagerTrust } from './imager-trust.ts';
import { serverClient } from './server-client.ts';

/** Tries of one read of the store before the install gives up: about five minutes without an answer. */
const storeRetries = 40;
const target = '/run/imprint/target';

async function main(): Promise<void> {
  const commandLine = await readFile('/proc/cmdline', 'utf8').catch(() => '');
  const settings = imagerSettings(process.argv.slice(2), process.env, commandLine);
  const write = (text: string) => {
    process.stdout.write(text);
  };
  const screen = new ConsoleScreen({ write, clock: systemClock, shellHint: settings.shellHint });
  const end = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => end.abort());
  try {
    await runImager(await compose(settings, screen, end.signal));
  } catch (thrown) {
    if (end.signal.aborted) return;
    screen.failure('THE IMAGER CANNOT WORK', toImprintError(thrown).toValue());
    process.exitCode = 1;
  }
}

async function compose(
  settings: ReturnType<typeof imagerSettings>,
  screen: ConsoleScreen,
  signal: AbortSignal,
): Promise<Imager> {
  if (settings.server === undefined) throw new Error('the kernel command line names no server (imprint.server=URL)');
  const publicKey = await readFile(settings.keyFile, 'utf8');
  const key = parsePublicKey(publicKey);
  const trust = await readImagerTrust(settings.trustDirectory);
  const program = await runningAgentProgram();
  const given = trust === undefined ? {} : { trust: settings.trustDirectory };
  const session = randomBytes(16).toString('hex');
  const processes = systemProcesses;
  const clock = systemClock;
  const { server } = settings;
  return {
    server: serverClient(settings.server, key),
    screen,
    clock,
    signal,
    power: systemPower(processes, clock),
    readFacts: () => readMachineFacts(processes),
    setTime: (time) => setSystemTime(processes, clock, time),
    installer: {
      key,
      ...(trust === undefined ? {} : { trust }),
      ...(program === undefined ? {} : { agent: { program, publicKey, ...given } }),
      server: settings.server,
      session,
      processes,
      clock,
      target,
      fetchObject: ({ id, number }, stop) =>
        fetchObject(server, { order: id, session, number }, { clock, signal: stop }),
      openStore: (url, stop) => openStore(url, { signal: stop, retries: storeRetries }),
      restore: (request) => restoreTree({ ...request, keepOnFailure: true, memoryLimit: spareMemory() }),
    },
  };
}

/** Bytes that a restore may take: the rest is for the page cache, which holds what is being written. */
function spareMemory(): number {
  return Math.max(128, Math.min(768, Math.floor(freemem() / 2 / 1024 ** 2))) * 1024 ** 2;
}

await main();
