import { hash } from 'node:crypto';
import { open } from 'node:fs/promises';
import type { InstallOrder } from '../contract/imager-protocol.ts';
import type { DiskFacts, InstallOptions, MachineFacts } from '../contract/machine.ts';
import type { Digest } from '../foundation/brand.ts';
import { formatBytes } from '../foundation/bytes.ts';
import type { Clock } from '../foundation/clock.ts';
import { ImprintError, toImprintError } from '../foundation/errors.ts';
import { uuidFromHash } from '../foundation/hash-uuid.ts';
import { Task } from '../foundation/task.ts';
import { chooseInterface } from '../machine/choose-interface.ts';
import { describeDisk } from '../machine/disk-rule.ts';
import { readImageContent } from '../machine/image-content.ts';
import { freshIdentity } from '../operations/install/fresh-identity.ts';
import type { Loss } from '../planning/layout-solution.ts';
import { type InstallQuestion, planInstall } from '../planning/plan-install.ts';
import { hasContent } from '../planning/save-boot-steps.ts';
import type { Store, StoredVersion } from '../store/store.ts';
import type { CopyPlace } from '../system/medium-copies.ts';
import type { Power } from '../system/power.ts';
import type { ConsoleQuestion } from './console-question.ts';
import type { ConsoleScreen } from './console-screen.ts';
import { findScripts } from './find-scripts.ts';
import { carryOut, guardOf, type Installer, type OrderResult } from './install-order.ts';
import { atTheMachine } from './local-hints.ts';
import type { FoundSettings } from './local-settings.ts';

type Settings = NonNullable<FoundSettings['settings']>;

/** An install by a `local.cfg`: somebody at the machine ordered it, no server. */
export interface LocalInstall {
  readonly settings: Settings & { image: string; hostName: string; install: 'confirm' | 'unattended' };
  /** Where they stood, for people. */
  readonly source: string;
  /** Stores to take the version from, in this order: the medium's, the server's. */
  readonly stores: readonly string[];
  /** The medium: what is waited for to be pulled out, and how it is let go of. */
  readonly medium?: { device: string; release(): Promise<void> };
  readonly installer: Installer;
  readonly screen: ConsoleScreen;
  readonly question: ConsoleQuestion;
  readonly power: Power;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readFacts(): Promise<MachineFacts>;
  /** Where a copy of what boots from the disk can be kept that is about to be written; undefined: nowhere. */
  copyPlace?(disk: string): Promise<CopyPlace | undefined>;
}

interface Chosen {
  store: string;
  version: StoredVersion;
}

interface Prepared extends Chosen {
  facts: MachineFacts;
  order: InstallOrder;
  disk: DiskFacts;
  lost: readonly Loss[];
  /** UUID that the disk's partition table gets. */
  table: string;
  network?: InstallQuestion['network'];
  /** Absent: there is nothing on the disk, or nobody wants it. */
  copy?: { place: CopyPlace | undefined };
}

const pause = 10_000;

/**
 * Installs what the settings say, once: what they did before to the same disk is not done again without a word from somebody at the machine. Refusals and
 * failures stand on the console, and are tried again when the machine's disks are others. Ends when the machine was told to restart.
 */
export async function runLocalInstall(local: LocalInstall): Promise<void> {
  const { screen, clock, signal, settings } = local;
  screen.machine(await local.readFacts(), local.installer.server ?? 'none is asked');
  screen.status(`${settings.hostName}: ${settings.image}, as ${local.source} says`);
  for (let told = ''; ; ) {
    const prepared = await prepare(local).catch((thrown) => {
      signal.throwIfAborted();
      return toImprintError(thrown);
    });
    if (prepared instanceof ImprintError) {
      if (told !== prepared.message)
        screen.failure(`${settings.hostName}: NOT INSTALLED. NOTHING WAS WRITTEN.`, atTheMachine(prepared.toValue()));
      told = prepared.message;
      await clock.sleep(pause, signal);
      continue;
    }
    told = '';
    if (!(await isAllowed(local, prepared))) continue;
    const result = await install(local, prepared);
    if (result.kind === 'installed') return end(local);
    const title = result.kind === 'refused' ? 'NOT INSTALLED. NOTHING WAS WRITTEN.' : 'THE INSTALL FAILED.';
    screen.failure(`${settings.hostName}: ${title}`, atTheMachine(result.error.toValue()));
    screen.status('Type  again  and Enter to try once more');
    await local.question.answer(signal);
  }
}

/** Finds the version and the disk, as the install itself will. Nothing is written. */
async function prepare(local: LocalInstall): Promise<Prepared> {
  const { settings, installer, signal } = local;
  const chosen = await findVersion(local);
  const { version, store } = chosen;
  const { record, recordText, signature } = version;
  const image = `${record.image}:${record.number}`;
  const id = `local-${hash('sha256', JSON.stringify([settings, record.digest]), 'hex').slice(0, 16)}`;
  const { groups = [] } = settings;
  const reader = { name: settings.hostName, image: record.image, groups };
  const scripts = await findScripts(store, reader, { key: installer.key, signal });
  const order: InstallOrder = {
    ...{ kind: 'install', id, name: settings.hostName, image, digest: record.digest as Digest, record: recordText },
    ...{ recordSignature: signature ?? '', store, options: optionsOf(settings) },
    ...(scripts.length > 0 && { scripts }),
    groups,
  };
  const facts = await local.readFacts();
  const network = fixedNetwork(settings, local.source, facts);
  const opened = await installer.openStore(store, signal);
  try {
    // Before anybody is asked for a yes.
    await guardOf(installer).check(version, 'use', opened);
    const content = await readImageContent(opened.entries(record.digest as Digest));
    const question = {
      name: settings.hostName,
      facts,
      reference: image,
      record,
      content,
      options: order.options,
      scripts,
    };
    const plan = planInstall({ ...question, fresh: freshIdentity() });
    if (plan.kind === 'refused') throw plan.error;
    const { disk, lost } = plan;
    const copied = hasContent(disk) && settings.bootCopy !== 'none';
    const copy = copied ? { copy: { place: await local.copyPlace?.(disk.path) } } : {};
    return {
      ...chosen,
      facts,
      order,
      disk,
      lost,
      table: tableOf(id, facts, disk),
      ...(network && { network }),
      ...copy,
    };
  } finally {
    await opened.close();
  }
}

/** The address that settings give, for the one card that is meant; `source` is where they stood. Throws `local-config-wrong`, also where they mean another machine. */
export function fixedNetwork(
  { network, domain, mac, device }: Pick<Settings, 'network' | 'domain' | 'mac' | 'device'>,
  source: string,
  facts: MachineFacts,
): InstallQuestion['network'] {
  if (network === undefined && mac === undefined) return undefined;
  const card = chooseInterface(facts.interfaces, { mac, device });
  if (card.kind === 'problem') throw new ImprintError('local-config-wrong', { file: source, problems: card.problem });
  if (network === undefined) return undefined;
  return { ...network, mac: card.mac, interface: card.name, ...(domain !== undefined && { domain }) };
}

/** The first store that has the version; where none has, what the first said. */
async function findVersion({ stores, settings, installer, screen, signal }: LocalInstall): Promise<Chosen> {
  let problem: unknown;
  for (const store of stores) {
    try {
      screen.status(`Looking for ${settings.image} in ${store}`);
      const opened: Store = await installer.openStore(store, signal);
      try {
        return { store, version: await opened.find(settings.image) };
      } finally {
        await opened.close();
      }
    } catch (error) {
      signal.throwIfAborted();
      problem ??= error;
    }
  }
  if (problem !== undefined) throw problem;
  throw new ImprintError('image-not-found', {
    reference: settings.image,
    store: 'this medium, and no server is named',
  });
}

function optionsOf(settings: Settings): InstallOptions {
  const { disk, layout, slots, fileSystem, swap, kernelOptions, install, erase, bootCopy } = settings;
  return {
    ...(disk !== undefined && { disk }),
    ...(layout !== undefined && { layout }),
    ...(slots !== undefined && { slots }),
    ...(fileSystem !== undefined && { fileSystem }),
    ...(swap !== undefined && { swap }),
    ...(kernelOptions !== undefined && { kernelOptions }),
    // Whoever is asked at the machine sees all that would be lost.
    ...(install === 'confirm' ? { erase: 'all' } : erase !== undefined && { erase }),
    ...(bootCopy !== undefined && { bootCopy }),
  };
}

/**
 * The name of the partition table that this install gives this disk: by it, the next start from the same medium knows what it did.
 */
export function tableOf(order: string, facts: MachineFacts, disk: DiskFacts): string {
  const what = [order, facts.uuid ?? '', disk.serial ?? disk.wwn ?? disk.path, disk.size];
  return uuidFromHash(hash('sha256', JSON.stringify(what)));
}

/** Whether the disk may be written now: by the settings, or by somebody at the machine. */
async function isAllowed(local: LocalInstall, prepared: Prepared): Promise<boolean> {
  const { settings, screen, question, signal } = local;
  const { disk, table, order } = prepared;
  const again = disk.table?.id?.toLowerCase() === table;
  if (settings.install === 'unattended' && !again) {
    for (const line of copyLines(prepared)) screen.line(line);
    return true;
  }
  const bar = '*'.repeat(78);
  const title = again ? 'THIS MEDIUM HAS INSTALLED THIS DISK ALREADY' : 'THIS DISK WILL BE WRITTEN';
  const { contentBytes } = prepared.version.record.stats;
  const lines = [
    ...['', bar, `*  ${settings.hostName}: ${title}`, bar],
    `  image    ${order.image}, ${formatBytes(contentBytes)}, from ${prepared.store}`,
    `  disk     ${describeDisk(disk)}`,
    '           EVERYTHING ON IT WILL BE LOST',
    ...prepared.lost.map(({ path, what, bytes }) => `           ${path}  ${what}, ${formatBytes(bytes)}`),
    ...copyLines(prepared),
    ...(prepared.network === undefined
      ? []
      : [`  address  ${prepared.network.address}/${prepared.network.prefix} on ${prepared.network.interface}`]),
    ...scriptLines(order),
    `  layout   ${order.options.layout ?? 'single'}, ${order.options.fileSystem ?? 'ext4'}`,
    '',
    ...(again ? ['Take the medium out and restart the machine, and it starts from its disk.'] : []),
    `Type  yes  and Enter to write ${disk.path}${again ? ' once more' : ''}. Anything else, and nothing is written.`,
  ];
  for (const line of lines) screen.line(line);
  const said = (await question.answer(signal)).toLowerCase();
  if (said === 'yes' || said === 'y') return true;
  screen.line(`"${said}" is no yes: nothing is written.`);
  return false;
}

/** What becomes of what made the disk boot. */
function copyLines({ copy, disk }: Prepared): string[] {
  if (copy === undefined) return [];
  if (copy.place !== undefined) return [`  before   what boots from it is kept on ${copy.place.device}`];
  return [`  before   NO COPY is kept of what boots from ${disk.path}: no medium here can be written`];
}

function scriptLines({ scripts = [] }: InstallOrder): string[] {
  const names = scripts.filter(({ text }) => text !== '').map(({ phase, name }) => `${name} (${phase})`);
  return names.length === 0 ? [] : [`  scripts  ${names.join(', ')}`];
}

async function install(local: LocalInstall, { order, facts, table, network, copy }: Prepared): Promise<OrderResult> {
  const { installer, screen, clock, signal } = local;
  screen.status(`${order.name}: installing ${order.image}`);
  const { bootCopies: _bootCopies, ...given } = installer;
  const place = copy?.place;
  const bootCopies = place && { by: 'medium' as const, keep: place.keep };
  const ticking = setInterval(() => screen.tick(), 1000);
  try {
    return await carryOut(
      order,
      facts,
      { ...given, readFacts: local.readFacts, table, ...(network && { network }), ...(bootCopies && { bootCopies }) },
      (work) =>
        Task.run(`install ${order.image} on ${order.name}`, (event) => screen.event(event), work, {
          ...{ id: order.id, signal, progressInterval: 250, clock },
        }),
    );
  } finally {
    clearInterval(ticking);
    signal.throwIfAborted();
  }
}

async function end({ settings, medium, screen, power, clock, signal }: LocalInstall): Promise<void> {
  const { hostName } = settings;
  const afterwards = settings.afterwards ?? 'remove';
  if (afterwards === 'poweroff') {
    screen.status(`${hostName} is installed: powering off`);
    return power.powerOff();
  }
  if (afterwards === 'wait') {
    screen.status(`${hostName} is installed and waits, as it was told; reset it to start ${settings.image}`);
    await clock.sleep(2 ** 31 - 1, signal);
  }
  if (afterwards === 'remove' && medium !== undefined) {
    // A drive whose medium is mounted does not open.
    await medium.release();
    screen.status(`${hostName} is installed. Take the medium out: the machine then restarts by itself`);
    while (await isThere(medium.device)) await clock.sleep(1000, signal);
  }
  screen.status(`${hostName} is installed: restarting`);
  return power.reboot();
}

/** A stick that was pulled out has no device any more; an empty drive cannot be opened. */
function isThere(path: string): Promise<boolean> {
  return open(path).then(
    async (file) => {
      await file.close();
      return true;
    },
    () => false,
  );
}
