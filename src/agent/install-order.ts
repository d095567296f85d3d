import { hash, randomBytes } from 'node:crypto';
import { freemem } from 'node:os';
import { type VersionRecord, versionRecordSchema } from '../contract/image.ts';
import type { InstallOrder } from '../contract/imager-protocol.ts';
import type { MachineFacts } from '../contract/machine.ts';
import type { Digest } from '../foundation/brand.ts';
import { formatBytes } from '../foundation/bytes.ts';
import type { Clock } from '../foundation/clock.ts';
import { ImprintError, toImprintError } from '../foundation/errors.ts';
import type { Task } from '../foundation/task.ts';
import { parseCanonicalJson } from '../image/canonical-json.ts';
import type { SecretReader } from '../image/sealed-secret.ts';
import type { PublicKey } from '../image/signature.ts';
import { type TrustDocument, trustOfKey } from '../image/trust-document.ts';
import { readImageContent } from '../machine/image-content.ts';
import type { RootFileSystem } from '../machine/root-file-system.ts';
import { executeEarly, executeInstall } from '../operations/install/execute-install.ts';
import { freshIdentity } from '../operations/install/fresh-identity.ts';
import type { InstallAgent, InstallContext } from '../operations/install/install-context.ts';
import { OldChunks } from '../operations/install/old-chunks.ts';
import type { LiveInstall } from '../operations/live/live-install.ts';
import { type FreshIdentity, type InstallQuestion, planInstall } from '../planning/plan-install.ts';
import type { BootCopyKeeper } from '../planning/save-boot-steps.ts';
import { preInstallSteps } from '../planning/script-steps.ts';
import { describeStep, type Step } from '../planning/step.ts';
import { isUrl } from '../store/open-store.ts';
import type { Store, StoredVersion } from '../store/store.ts';
import { createGuard, type TrustMemory, type VersionGuard } from '../store/version-guard.ts';
import type { Processes } from '../system/run.ts';
import type { RestoreOptions, RestoreReport } from '../tree/restore-tree.ts';
import type { LiveStarts } from './live-order.ts';

/** What an install on this machine is done with. */
export interface Installer {
  readonly key: PublicKey;
  /** Whom to trust for versions, and what was seen of them; absent: `key` alone. */
  readonly trust?: { readonly start: TrustDocument; readonly memory: TrustMemory };
  /** Whom the installed system reports to; absent: nobody. */
  readonly server?: string;
  readonly session: string;
  /** Looks at the machine once more: scripts may have changed it. Absent: it is as it was. */
  readFacts?(): Promise<MachineFacts>;
  /** UUID of the disk's new partition table; absent: a random one. */
  readonly table?: string;
  /** The address that the machine gets of its own; absent: as the image is configured. */
  readonly network?: InstallQuestion['network'];
  readonly processes: Processes;
  readonly clock: Clock;
  /** Where the new root is mounted meanwhile. */
  readonly target: string;
  /** The agent that is put into the installed system, and what it is to trust. */
  readonly agent?: InstallAgent;
  /** Bytes of memory that nothing uses; absent: asked of the kernel. */
  freeMemory?(): number;
  openStore(url: string, signal: AbortSignal): Promise<Store>;
  /** Fetches what the server kept of the machine; absent: nothing is brought back. */
  fetchObject?(object: { id: string; number: number }, signal: AbortSignal): Promise<Uint8Array>;
  /** Who keeps what boots from disks before they are written; absent: nobody can, and it is not kept. */
  readonly bootCopies?: {
    readonly by: BootCopyKeeper;
    keep(copy: { file: string; machine: string; order: string }, signal: AbortSignal): Promise<string>;
  };
  /** Opens what was sealed for this boot; absent: nothing is. Throws an `Error`. */
  readonly secrets?: SecretReader;
  /** Asks somebody at the machine for the passphrase of encrypted devices; absent: nobody stands there. */
  askPassphrase?(machine: string, signal: AbortSignal): Promise<string>;
  restore(request: RestoreRequest): Promise<RestoreReport>;
  /** How a system is started before it is installed; absent: none is. */
  readonly live?: LiveStarts;
  /** The system that runs here and is to move: its name, and its root's UUID and file system; absent: none does. */
  readonly running?: { readonly name: string; readonly uuid: string; readonly fileSystem: RootFileSystem };
  /** `uname -r`; absent: it counts for nothing. */
  readonly kernel?: string;
}

export interface RestoreRequest extends Pick<RestoreOptions, 'store' | 'target' | 'mountsBelow' | 'task'> {
  readonly version: StoredVersion;
}

export type OrderResult =
  | { kind: 'installed' }
  /** Nothing was written. */
  | { kind: 'refused'; error: ImprintError }
  | { kind: 'failed'; error: ImprintError; step?: string };

/**
 * Carries out an order: checks the version's signatures, reads the manifest, plans, and only then writes. Never rejects: how it ended is the
 * result, and in the task's events.
 */
export async function carryOut(
  order: InstallOrder,
  seen: MachineFacts,
  installer: Installer,
  run: (work: (task: Task) => Promise<void>) => Promise<void>,
): Promise<OrderResult> {
  let current: Step | undefined;
  let writing = false;
  try {
    await run(async (task) => {
      const version = orderedVersion(order);
      const store = await installer.openStore(order.store, task.signal);
      try {
        await guardOf(installer).check(version, 'use', store);
        const content = await readImageContent(store.entries(version.record.digest as Digest));
        // Before anything is written: without it, it would not be the machine that was ordered.
        const object = await objectOf(order, installer, task);
        const question = (facts: MachineFacts): InstallQuestion => ({
          name: order.name,
          facts,
          reference: order.image,
          record: version.record,
          content,
          options: order.options,
          fresh: freshNames(installer),
          ...(installer.running && {
            running: { name: installer.running.name, fileSystem: installer.running.fileSystem },
          }),
          ...(installer.server && {
            report: { server: installer.server, order: order.id, session: installer.session },
          }),
          ...(installer.bootCopies && { keepsBoot: installer.bootCopies.by }),
          // A store on a medium is as near as the old disk, and read in one go: nothing would be gained.
          ...(isUrl(order.store) && { remote: true as const }),
          ...(order.object && { object: order.object.number }),
          ...(installer.network && { network: installer.network }),
          ...(order.scripts && { scripts: order.scripts }),
          ...(order.groups && { groups: order.groups }),
          ...(installer.kernel && { kernel: installer.kernel }),
        });
        const old = new OldChunks();
        let taken: string | undefined;
        const restore = async (target: string, part: Task) => {
          const request = { store: old.before(store), version, target, mountsBelow: true, task: part };
          const report = await installer.restore(request);
          for (const warning of report.warnings) part.warn(warning);
          if (old.content > 0) taken = `took ${formatBytes(old.content)} from the old system`;
          old.clear();
        };
        const { processes, clock, target, agent } = installer;
        const live = order.options.live ? beginLive(order, store, installer) : undefined;
        const context = {
          ...{ processes, clock, target, content, restore },
          ...(live && { live }),
          keptVersion: async () => ({
            recordText: version.recordText,
            ...(version.signature === undefined ? {} : { signature: version.signature }),
            manifest: await store.manifestFile(version.record.digest as Digest),
          }),
          old: {
            chunks: old,
            record: version.record,
            store,
            freeMemory: installer.freeMemory ?? freemem,
          },
          ...(order.scripts === undefined ? {} : { scripts: order.scripts }),
          ...(agent === undefined ? {} : { agent }),
          ...(object === undefined ? {} : { object: async () => object }),
          ...keeperOf(order, installer),
          ...secretsOf(order, installer),
        };
        const { before, steps } = await planAfterScripts(question, seen, installer, (step) =>
          executeEarly(order.name, step, context, task),
        );
        if (live !== undefined) {
          live.steps = steps;
          for (const step of steps) if (step.kind === 'start-live') await live.check(step.fileSystem);
        }
        // Before the first write: an install that waits in its middle holds half a system.
        if (steps.some((step) => step.kind === 'make-crypt' && step.keyFile === undefined))
          await context.passphrase(task.signal);
        await executeInstall(order.name, steps, context, task, {
          before,
          reached: (step) => {
            current = step;
            // What only keeps a copy, or reads, may be refused yet.
            if (step?.kind !== 'save-boot' && step?.kind !== 'gather-old') writing = true;
          },
        });
        if (taken !== undefined) task.log(`${taken}, fetched ${formatBytes(store.traffic.bytes)}`);
      } finally {
        await store.close();
      }
    });
    return { kind: 'installed' };
  } catch (thrown) {
    const error = toImprintError(thrown);
    if (!writing && (isRefusal(error) || error.code === 'script-failed')) return { kind: 'refused', error };
    return { kind: 'failed', error, ...(current === undefined ? {} : { step: describeStep(current) }) };
  }
}

function beginLive(order: InstallOrder, store: Store, { live }: Installer): LiveInstall {
  const { name, image: reference, digest, record, recordSignature, id } = order;
  if (live === undefined) {
    const hint = 'Order it without --live.';
    throw new ImprintError('live-unfit', { machine: name, reference, problem: 'nothing is started from here', hint });
  }
  return live.begin({
    ...{ name, reference, digest: digest as Digest, record, recordSignature, order: id, store, location: order.store },
    ...(order.options.rate !== undefined && { limit: order.options.rate }),
    ...(order.frames !== undefined && { frames: order.frames }),
    ...(live.learn !== undefined && {
      learned: (frames: readonly string[]) => live.learn?.(id, frames) ?? Promise.resolve(),
    }),
  });
}

/** New names for what the disk gets; a root that is there already keeps its own. */
export function freshNames({ table, running }: Pick<Installer, 'table' | 'running'>): FreshIdentity {
  const fresh = freshIdentity();
  const uuid = running?.uuid;
  return {
    ...fresh,
    ...(table && { table }),
    ...(uuid !== undefined && {
      root: { ...fresh.root, uuid },
      slots: fresh.slots.map((slot, index) => (index === 0 ? { ...slot, uuid } : slot)),
    }),
  };
}

/** What has safety copies kept, for this order. */
function keeperOf({ id: order }: InstallOrder, { bootCopies }: Installer): Pick<InstallContext, 'keepBootCopy'> {
  if (bootCopies === undefined) return {};
  return { keepBootCopy: (copy, signal) => bootCopies.keep({ ...copy, order }, signal) };
}

/** The passphrase of this order, asked for once; and keys that are made up for devices that open by one. */
function secretsOf(
  order: InstallOrder,
  { secrets, askPassphrase }: Installer,
): Pick<InstallContext, 'secretOf' | 'keys'> & { passphrase(signal: AbortSignal): Promise<Buffer> } {
  const keys = new Map<string, string>();
  let known: Buffer | undefined;
  const find = async (signal: AbortSignal) => {
    if (order.passphrase !== undefined && secrets !== undefined) return secrets.open(order.passphrase);
    if (askPassphrase !== undefined) return Buffer.from(await askPassphrase(order.name, signal));
    const problem = 'the layout has encrypted devices, and nobody said their passphrase';
    const hint = 'Order it again: imprint install … --passphrase-file FILE';
    throw new ImprintError('layout-unsolvable', { machine: order.name, problem, hint });
  };
  const passphrase = async (signal: AbortSignal) => {
    known ??= await find(signal);
    return known;
  };
  return {
    keys,
    passphrase,
    async secretOf({ name, keyFile }, signal) {
      if (keyFile === undefined) return passphrase(signal);
      const key = randomBytes(32).toString('hex');
      keys.set(name, key);
      return Buffer.from(key);
    },
  };
}

/**
 * The steps that are left when what runs before the first write has run, `before` in number: scripts may make a disk (of a RAID controller, say), or load what it needs, so
 * the machine is looked at again, and planned for anew. Errors: those of the plan, `script-failed`.
 */
async function planAfterScripts(
  question: (facts: MachineFacts) => InstallQuestion,
  seen: MachineFacts,
  { readFacts, table }: Installer,
  execute: (step: Step) => Promise<void>,
): Promise<{ before: number; steps: Step[] }> {
  const first = planInstall(question(seen));
  const early = preInstallSteps(question(seen), first.kind === 'plan' ? first.disk : undefined);
  if (early.length === 0) {
    if (first.kind === 'refused') throw first.error;
    return { before: 0, steps: first.steps };
  }
  // What no script can change is told before any runs.
  if (first.kind === 'refused' && !disksFault.has(first.error.code)) throw first.error;
  for (const step of early) await execute(step);
  const plan = planInstall(question((await readFacts?.()) ?? seen));
  if (plan.kind === 'refused') throw plan.error;
  const meant = first.kind === 'plan' ? first.disk : undefined;
  // Somebody at the machine was asked about that disk, and no other.
  if (table !== undefined && (meant?.path !== plan.disk.path || meant.serial !== plan.disk.serial)) {
    const { name } = question(seen);
    throw new ImprintError('scripts-unfit', {
      machine: name,
      problem: `the pre-install scripts changed the disks: ${plan.disk.path} would be written now`,
      hint: 'Try again: it is asked about the disks as they are now.',
    });
  }
  return { before: early.length, steps: plan.steps.slice(early.length) };
}

/** Refusals for the disks as they are. */
const disksFault: ReadonlySet<string> = new Set([
  'disk-none',
  'disk-ambiguous',
  'disk-in-use',
  'disk-too-small',
  'disk-shared',
  'disk-holds-data',
  'disk-erase-unsaid',
  'layout-unsolvable',
]);

/** What the server kept of the machine, as its signed order names it. Errors: `object-unfit`, `server-unreachable`. */
async function objectOf(order: InstallOrder, { fetchObject }: Installer, task: Task): Promise<Uint8Array | undefined> {
  if (order.object === undefined || fetchObject === undefined) return undefined;
  const file = await fetchObject({ id: order.id, number: order.object.number }, task.signal);
  if (hash('sha256', file) === order.object.sha256) return file;
  const hint = `Install again, or without it: imprint machine object ${order.name} --forget`;
  throw new ImprintError('object-unfit', { problem: 'it is another than the server signed for', hint });
}

/** Refused for safety, or not verified: trying again changes nothing. What is merely away may come back. */
function isRefusal(error: ImprintError): boolean {
  return error.exitStatus === 4 || error.exitStatus === 5 || error.code === 'input-invalid';
}

/** The version of an order as it came: nothing is believed of it yet. Throws `signature-missing`, `signature-wrong`. */
export function orderedVersion(order: InstallOrder): StoredVersion {
  const record = parseRecord(order.record);
  if (record === undefined || record.digest !== order.digest) {
    throw new ImprintError('signature-wrong', { what: order.image, key: 'its record is not the one that was ordered' });
  }
  if (order.recordSignature === '') throw new ImprintError('signature-missing', { reference: order.image });
  return { record, recordText: order.record, signature: order.recordSignature, tags: [] };
}

/** Says whether a version is one that machines may have: by the trust document that the imager carries, else by its key alone. */
export function guardOf({ key, trust, clock }: Pick<Installer, 'key' | 'trust' | 'clock'>): VersionGuard {
  return createGuard({ start: trustOfKey(key), ...trust, clock });
}

function parseRecord(text: string): VersionRecord | undefined {
  try {
    return versionRecordSchema.parse(parseCanonicalJson(text));
  } catch {
    return undefined;
  }
}
