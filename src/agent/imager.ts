/** Entry of the imager: what a bare machine runs. `boot/imager-init` starts it when the network is up. */
import { randomBytes } from 'node:crypto';
import { mkdir, open, readFile, writeFile } from 'node:fs/promises';
import { freemem, release, setPriority } from 'node:os';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { MachineFacts } from '../contract/machine.ts';
import { systemClock } from '../foundation/clock.ts';
import { ImprintError, toImprintError } from '../foundation/errors.ts';
import { secretReader } from '../image/sealed-secret.ts';
import { parsePublicKey } from '../image/signature.ts';
import { type LiveFrugalStart, type LiveMediumStart, readLiveStart } from '../machine/live-start.ts';
import { runningAgentProgram } from '../operations/install/agent-program.ts';
import { isBuilt } from '../operations/live/built-versions.ts';
import { findLive } from '../operations/live/find-live.ts';
import type { LiveHost } from '../operations/live/live-host.ts';
import { LiveInstall } from '../operations/live/live-install.ts';
import { serveLiveSource } from '../operations/live/live-source.ts';
import { openLiveStart } from '../operations/live/open-live-start.ts';
import { fetchImager } from '../operations/media/fetch-imager.ts';
import { softWordsPath } from '../operations/update/this-machine.ts';
import { openStore } from '../store/open-store.ts';
import { handOver } from '../system/hand-over.ts';
import { type AnswerLine, LineSocket } from '../system/line-socket.ts';
import { readMachineFacts } from '../system/machine-facts.ts';
import { findCopyPlace } from '../system/medium-copies.ts';
import { mountDevice, mountPoints, unmountTree } from '../system/mount.ts';
import { systemPower } from '../system/power.ts';
import { renewAddress } from '../system/renew-address.ts';
import { rootWriters } from '../system/root-writers.ts';
import { systemProcesses } from '../system/run.ts';
import { setSystemTime } from '../system/set-time.ts';
import { restoreTree } from '../tree/restore-tree.ts';
import { askInstall } from './ask-install.ts';
import { askPassphrase } from './ask-passphrase.ts';
import { consoleQuestion } from './console-question.ts';
import { ConsoleScreen } from './console-screen.ts';
import { fetchObject } from './fetch-object.ts';
import { type Imager, runImager } from './imager-loop.ts';
import { type ImagerSettings, imagerSettings } from './imager-settings.ts';
import { readImagerTrust } from './imager-trust.ts';
import { guardOf } from './install-order.ts';
import { type AnsweringOrders, answerLive } from './live-control.ts';
import { type LiveMedium, mediumImager, runLiveMedium } from './live-medium.ts';
import type { LiveStarts } from './live-order.ts';
import { fixedNetwork, runLocalInstall } from './local-install.ts';
import { type FoundSettings, findSettings, readFoundSettings } from './local-settings.ts';
import { postJson } from './post-json.ts';
import { sendBootCopy } from './send-boot-copy.ts';
import { serverClient } from './server-client.ts';

/** Tries of one read of the store before the install gives up: about five minutes without an answer. */
const storeRetries = 40;
const serveLive = '--serve-live';
const runDirectory = '/run/imprint';
const target = `${runDirectory}/target`;
/** Of the system that was started: the first process is its init. */
const systemRoot = '/proc/1/root';
/** Whether a system was started that this process serves the root of. */
const live = { handedOver: false };

async function main(): Promise<void> {
  const commandLine = await readFile('/proc/cmdline', 'utf8').catch(() => '');
  const settings = imagerSettings(process.argv.slice(2), process.env, commandLine);
  const write = (text: string) => {
    // The consoles are the system's then, and nobody reads what would fill the memory.
    if (!live.handedOver) process.stdout.write(text);
  };
  const screen = new ConsoleScreen({ write, clock: systemClock, shellHint: settings.shellHint });
  const end = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => end.abort());
  try {
    if (process.argv.includes(serveLive)) await serveBlocks(settings, end.signal);
    else if (process.argv.includes('--settings')) await lookForSettings(settings, screen);
    else await work(settings, screen, end.signal);
  } catch (thrown) {
    if (end.signal.aborted) return;
    screen.failure('THE IMAGER CANNOT WORK', toImprintError(thrown).toValue());
    process.exitCode = 1;
  }
}

/** Another process of this program, which gives the kernel the blocks of a live system's root. */
async function serveBlocks({ keyFile, trustDirectory }: ImagerSettings, signal: AbortSignal): Promise<void> {
  // Before anything else: whoever ends processes leaves it alone (https://systemd.io/ROOT_STORAGE_DAEMONS).
  process.title = '@imprint-blocks';
  // Who began it may be gone; the system is not.
  process.stdout.on('error', () => {});
  const key = parsePublicKey(await readFile(keyFile, 'utf8'));
  const trust = await readImagerTrust(trustDirectory);
  const guard = guardOf({ key, ...(trust && { trust }), clock: systemClock });
  await serveLiveSource(await text(process.stdin), {
    ...{ processes: systemProcesses, clock: systemClock, signal },
    openStore: (location) => openStore(location, { signal, retries: storeRetries, guard }),
    say: (line) => process.stdout.write(`${line}\n`),
  });
}

/** Before there is a network: what media say of it, and of everything else. */
async function lookForSettings({ medium, server }: ImagerSettings, screen: ConsoleScreen): Promise<void> {
  const macs = (await readMachineFacts(systemProcesses)).interfaces.map(({ mac }) => mac);
  const search = {
    processes: systemProcesses,
    clock: systemClock,
    medium,
    macs,
    hasServer: server !== undefined,
    directory: runDirectory,
  };
  const found = await findSettings(search);
  if (medium !== undefined && found.medium === undefined)
    screen.line('   The medium that this came from is not found: it was pulled out, or its driver is missing.');
  if (found.settings !== undefined) screen.line(`   Settings: ${found.source}`);
  for (const remark of found.remarks) screen.line(`   ${remark}`);
  // Now, for a network may never come.
  if (found.problem !== undefined)
    screen.failure('LOCAL.CFG IS WRONG: NOTHING IS INSTALLED BY IT', wrongSettings(found).toValue());
}

function wrongSettings({ source = 'local.cfg', problem = '' }: FoundSettings): ImprintError {
  return new ImprintError('local-config-wrong', { file: source, problems: problem });
}

/** By what somebody wrote onto a medium, else as the server says. */
async function work(settings: ImagerSettings, screen: ConsoleScreen, signal: AbortSignal): Promise<void> {
  const found = await readFoundSettings(runDirectory);
  const { source = 'what was typed here', problem, medium } = found;
  const local = found.settings ?? {};
  const server = local.server ?? settings.server;
  const question = consoleQuestion(runDirectory, systemClock);
  const ask = (machine: string, stop: AbortSignal) => askPassphrase(machine, { screen, question, signal: stop });
  const commandLine = await readFile('/proc/cmdline', 'utf8').catch(() => '');
  const start = readLiveStart(commandLine);
  const parts = await compose(settings, server, found, { signal, ask, start });
  if (start !== undefined) {
    if (start.kind === 'wrong') throw noLive(start.problem);
    const place = start.kind === 'medium' ? mediumPlace(settings) : partitionPlace(start);
    const own = liveSettings(found, source);
    return runLiveMedium({ ...own, ...place, start, imager: parts, host: parts.host, screen });
  }
  const place = { processes: systemProcesses, clock: systemClock, directory: `${runDirectory}/copies` };
  const stores = [medium?.store, server && `${server}/store`].filter((store) => store !== undefined);
  const localInstall = {
    ...{ ...parts, screen, source, stores, question },
    copyPlace: (written: string) => findCopyPlace(place, medium?.device, written),
    ...(medium && {
      medium: {
        device: medium.device,
        release: () => unmountTree(systemProcesses, `${runDirectory}/medium`, systemClock),
      },
    }),
  };
  const { install, image, hostName } = local;
  if (install !== undefined && image !== undefined && hostName !== undefined)
    return runLocalInstall({ ...localInstall, settings: { ...local, install, image, hostName } });
  if (server !== undefined) {
    const address = local.network !== undefined ? local : (settings.address ?? {});
    const network = (facts: MachineFacts) => fixedNetwork(address, source, facts);
    return runImager({ ...parts, server: serverClient(server, parts.installer.key), screen, network });
  }
  if (medium?.store === undefined || problem !== undefined) throw noServer(problem !== undefined);
  const carried = await openStore(medium.store);
  const chosen = await askInstall(
    (await carried.versions()).filter((version) => !isBuilt(version)),
    { screen, question, signal },
  );
  await carried.close();
  return runLocalInstall({ ...localInstall, settings: { ...local, ...chosen, install: 'confirm' } });
}

function noServer(isWrong: boolean): ImprintError {
  return new ImprintError('local-config-wrong', {
    file: 'local.cfg',
    problems: isWrong
      ? 'it says nothing that counts, and no server is named elsewhere'
      : 'it names neither a server to ask (IMAGESERVER) nor an image to install (IMAGENAME), and the kernel command line names no server, either (imprint.server=URL)',
  });
}

function noLive(problems: string): ImprintError {
  return new ImprintError('local-config-wrong', { file: 'the kernel command line', problems });
}

/** What a live system is called, and its address. */
function liveSettings({ settings: local = {} }: FoundSettings, source: string) {
  return {
    ...{ control: `${runDirectory}/control`, systemRoot },
    ...(local.hostName !== undefined && { hostName: local.hostName }),
    network: (facts: MachineFacts) => fixedNetwork(local, source, facts),
  };
}

type Place = Pick<LiveMedium, 'from' | 'findStore' | 'findAgain' | 'releaseMedium'>;

/** The medium that a live system starts from, as this process finds it and lets go of it. */
function mediumPlace(settings: ImagerSettings): Place {
  const [processes, clock, medium] = [systemProcesses, systemClock, `${runDirectory}/medium`];
  const search = { processes, clock, medium: settings.medium, macs: [], hasServer: false, directory: runDirectory };
  return {
    from: `the medium ${settings.medium}`,
    findStore: async () => {
      const { medium: known } = await readFoundSettings(runDirectory);
      const isMounted = (await mountPoints()).includes(medium);
      if (known?.store !== undefined && isMounted) return { store: known.store };
      const store = (await findSettings({ ...search, patience: 0 })).medium?.store;
      return store === undefined ? undefined : { store };
    },
    releaseMedium: () => unmountTree(processes, medium, clock),
    findAgain: async () => {
      const { medium: known } = await readFoundSettings(runDirectory);
      // Opened, a drive looks what is in it, and what is mounted can be read again.
      const isThere = await open(known?.device ?? medium)
        .then((file) => file.close().then(() => true))
        .catch(() => false);
      if (isThere && (await mountPoints()).includes(medium)) return;
      // Of what was pulled out nothing can be read any more, however long that is held.
      await processes.run('umount', ['--lazy', medium], { timeout: 60_000, accept: [0, 1, 32] });
      // What the system itself is made of waits for the medium.
      await findSettings({
        ...search,
        patience: 0,
        isReadable: (path) => !/^\/dev\/(?:nbd|loop|dm-|mapper|zram|ram)/.test(path),
      });
    },
  };
}

/** The directory of a partition that a live system starts from. */
function partitionPlace(start: LiveFrugalStart): Place {
  let release = async () => {};
  return {
    from: `the partition ${start.uuid}`,
    findStore: async (task, withChanges) => {
      const { changes: _changes, ...without } = start;
      const wish = { processes: systemProcesses, clock: systemClock, directory: runDirectory };
      try {
        const opened = await openLiveStart({ ...wish, start: withChanges ? start : without }, task);
        release = opened.release;
        const { store, inMemory, changes } = opened;
        return { store, inMemory, ...(changes && { changes }) };
      } catch (thrown) {
        const error = toImprintError(thrown);
        if (error.code !== 'live-start-unfit') throw error;
        task.warn(error.message);
        return undefined;
      }
    },
    releaseMedium: () => release(),
  };
}

/** The medium's own imager; undefined: it is not there. */
async function imagerOfMedium(
  device: string,
  start: LiveMediumStart,
): Promise<Awaited<ReturnType<LiveHost['imager']>>> {
  const directory = `${runDirectory}/medium-boot`;
  try {
    await mountDevice(systemProcesses, { device, directory, type: 'auto', options: 'ro' });
    return await mediumImager(directory, start);
  } catch {
    return undefined;
  } finally {
    await unmountTree(systemProcesses, directory, systemClock);
  }
}

interface ComposeWith {
  signal: AbortSignal;
  ask: NonNullable<Imager['installer']['askPassphrase']>;
  /** What the kernel was told to start live. */
  start: ReturnType<typeof readLiveStart>;
}

async function compose(
  settings: ImagerSettings,
  server: string | undefined,
  { medium }: FoundSettings,
  { signal, ask, start }: ComposeWith,
): Promise<Omit<Imager, 'server' | 'screen'> & { host: LiveHost }> {
  const publicKey = await readFile(settings.keyFile, 'utf8');
  const key = parsePublicKey(publicKey);
  const trust = await readImagerTrust(settings.trustDirectory);
  const program = await runningAgentProgram();
  const given = trust === undefined ? {} : { trust: settings.trustDirectory };
  const session = randomBytes(16).toString('hex');
  const processes = systemProcesses;
  const clock = systemClock;
  const host: LiveHost = {
    ...{ processes, clock, target, directory: `${runDirectory}/live` },
    room: Math.floor(spareMemory() / 2),
    serveCommand: [process.execPath, ...process.execArgv, process.argv[1] ?? '', serveLive],
    handOver: async () => {
      await handOver(runDirectory, target, clock);
      live.handedOver = true;
      // The system comes first; what gives it its blocks is another process.
      setPriority(10);
    },
    imager: async (task) => {
      if (start?.kind === 'medium' && medium !== undefined) return imagerOfMedium(medium.device, start);
      if (start?.kind === 'frugal') return mediumImager(`${runDirectory}/partition${start.directory}`, start);
      return server === undefined ? undefined : { server, files: await fetchImager(server, key, task) };
    },
    inSystem: async (tool, args) => {
      await processes.run('chroot', [systemRoot, tool, ...args], { timeout: 120_000 });
    },
    tell: (line) =>
      rootWriters(processes, clock, { name: 'imprint-root', root: systemRoot })
        .tell(line)
        .catch(() => {}),
    tellBootWords: async (words) => {
      await mkdir(dirname(`${systemRoot}${softWordsPath}`), { recursive: true });
      await writeFile(`${systemRoot}${softWordsPath}`, words);
    },
  };
  let current: LiveInstall | undefined;
  let answering: AnsweringOrders | undefined;
  const starts: LiveStarts = {
    begin: (content) => {
      current = new LiveInstall(host, content);
      return current;
    },
    get current() {
      return current;
    },
    ...(server !== undefined && {
      learn: async (order: string, frames: readonly string[]) => {
        const limit = AbortSignal.timeout(20_000);
        await postJson(`${server}/imager/v1/frames`, { order, session, frames }, limit);
      },
    }),
    get handedOver() {
      return live.handedOver;
    },
  };
  return {
    ...{ clock, signal, host },
    serveOrders: async (orders) => {
      // Where the system sees it, from when it was started.
      if (answering === undefined) {
        const answer: AnswerLine = (line, reply, gone) => answerLive(answering ?? orders, line, reply, gone);
        await LineSocket.listen(join(runDirectory, 'control/control'), answer);
      }
      answering = orders;
    },
    findLive,
    takeAddress: (wanted) => renewAddress(processes, clock, { file: `${runDirectory}/address`, wanted }),
    power: systemPower(processes, clock),
    readFacts: async () => {
      const facts = await readMachineFacts(processes);
      // What the machine booted from is nothing to install on, however large it is.
      return { ...facts, disks: facts.disks.filter(({ path }) => path !== medium?.disk) };
    },
    ordered: () => writeFile(`${runDirectory}/ordered`, ''),
    setTime: (time) => setSystemTime(processes, clock, time),
    installer: {
      key,
      ...(trust === undefined ? {} : { trust }),
      ...(program === undefined ? {} : { agent: { program, publicKey, ...given } }),
      ...(server === undefined ? {} : { server }),
      live: starts,
      kernel: release(),
      secrets: secretReader(),
      askPassphrase: ask,
      session,
      processes,
      clock,
      target,
      ...(server !== undefined && {
        fetchObject: ({ id, number }, stop) =>
          fetchObject(server, { order: id, session, number }, { clock, signal: stop }),
        bootCopies: {
          by: 'server',
          keep: (copy, stop) => sendBootCopy(server, { ...copy, session }, { clock, signal: stop }),
        },
      }),
      openStore: (url, stop) =>
        openStore(url, {
          signal: stop,
          retries: storeRetries,
          guard: guardOf({ key, ...(trust && { trust }), clock }),
        }),
      restore: (request) => restoreTree({ ...request, keepOnFailure: true, memoryLimit: spareMemory() }),
    },
  };
}

/** Bytes that a restore may take: the rest is for the page cache, which holds what is being written. */
function spareMemory(): number {
  return Math.max(128, Math.min(768, Math.floor(freemem() / 2 / 1024 ** 2))) * 1024 ** 2;
}

await main();
