import type { Clock } from '../foundation/clock.ts';
import { ImprintError } from '../foundation/errors.ts';
import { acceptVersion, floorOf } from '../image/accept-version.ts';
import { hasPassed, type TrustDocument } from '../image/trust-document.ts';
import type { Purpose, Store, StoredVersion } from './store.ts';
import { verifyVersion } from './trust.ts';
import { followTrust } from './trust-chain.ts';

/** Decides whether a version may be given out. Made by `createGuard`, asked by `Store.resolve`. */
export interface VersionGuard {
  /**
   * Throws where the version is not to be trusted for the purpose: `signature-missing`, `signature-wrong`, `signatures-few`, `trust-wrong`,
   * `trust-expired`; to be used, also `version-withdrawn`, `version-expired`.
   */
  check(version: StoredVersion, purpose: Purpose, store: GuardedStore): Promise<void>;
}

/** What a guard needs of a store. */
export type GuardedStore = Pick<Store, 'location' | 'newer' | 'trustDocument'>;

/** A signed record as evidence of what an image had come to. */
export type Evidence = Pick<StoredVersion, 'record' | 'recordText' | 'signature'>;

/** What a reader remembers, so that what it has seen cannot be taken back. */
export interface TrustMemory {
  /** The newest trust document that was accepted. */
  document(): Promise<TrustDocument | undefined>;
  keepDocument(document: TrustDocument): Promise<void>;
  /** The record with the highest floor that was seen of an image. */
  seen(image: string): Promise<Evidence | undefined>;
  keepSeen(evidence: Evidence): Promise<void>;
}

export interface GuardOptions {
  /** Where trust begins. */
  start: TrustDocument;
  /** Absent: nothing is remembered. */
  memory?: TrustMemory;
  clock: Clock;
  /** Lets versions without any signature through as long as there is no trust document, only a key; `warn` hears of each. */
  tolerateUnsigned?: boolean;
  warn?: (message: string) => void;
}

/** The rules of `docs/trust.md`. */
export function createGuard(options: GuardOptions): VersionGuard {
  const { memory, clock } = options;
  return {
    async check(version, purpose, store) {
      const document = await currentTrust(options, store);
      const reference = `${version.record.image}:${version.record.number}`;
      if (version.signature === undefined && options.tolerateUnsigned === true && document.version === 0)
        return options.warn?.(`${reference} is not signed: nobody vouches for it (imprint image sign ${reference}).`);
      verifyVersion(version, document.release.keys, document.release.threshold);
      if (purpose === 'look') return;
      const { image } = version.record;
      const seen = trustedOnly(await memory?.seen(image), document);
      const head = await newestTrusted(store, version, document);
      // Before the decision: what was shown once counts, whether it was what we came for or not.
      if (seen === undefined || isLater(head, seen)) await memory?.keepSeen(head);
      const known = [head, ...(seen === undefined ? [] : [seen])];
      acceptVersion(
        version.record,
        known.map(({ record }) => record),
        clock.now(),
      );
      if (seen !== undefined && seen.record.number > head.record.number)
        options.warn?.(
          `${image}:${seen.record.number} was seen before; ${store.location} has nothing newer than ${image}:${head.record.number}.`,
        );
    },
  };
}

/** The newest trust document from all that is known, remembered; refused where it has expired. */
export async function currentTrust(
  { start, memory, clock }: Pick<GuardOptions, 'start' | 'memory' | 'clock'>,
  store: Pick<Store, 'trustDocument' | 'location'>,
): Promise<TrustDocument> {
  const remembered = await memory?.document();
  const from = remembered !== undefined && remembered.version > start.version ? remembered : start;
  const [document] = await followTrust(from, store);
  if (document.version > from.version) await memory?.keepDocument(document);
  if (!hasPassed(document.expires, clock.now())) return document;
  throw new ImprintError('trust-expired', { document: String(document.version), expired: document.expires ?? '' });
}

/** A guard for a place where no key is known: gives nothing out (`trust-missing`). */
export function refusingGuard(): VersionGuard {
  return {
    check: (_version, _purpose, store) => Promise.reject(new ImprintError('trust-missing', { store: store.location })),
  };
}

/** The newest version of the image that is signed as it should be: this one, if there is no newer. */
async function newestTrusted(
  store: GuardedStore,
  version: StoredVersion,
  document: TrustDocument,
): Promise<StoredVersion> {
  const { image, number } = version.record;
  for await (const newer of store.newer(image, number)) if (trustedOnly(newer, document) !== undefined) return newer;
  return version;
}

/** Evidence counts as long as its keys do: with a key that was taken out of the role goes what it alone had signed. */
export function trustedOnly<Version extends Evidence>(
  evidence: Version | undefined,
  { release }: TrustDocument,
): Version | undefined {
  if (evidence === undefined) return undefined;
  try {
    verifyVersion(evidence, release.keys, release.threshold);
    return evidence;
  } catch {
    return undefined;
  }
}

function isLater(one: Evidence, other: Evidence): boolean {
  const difference = floorOf(one.record) - floorOf(other.record);
  return difference > 0 || (difference === 0 && one.record.number > other.record.number);
}
