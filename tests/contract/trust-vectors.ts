import { createPrivateKey } from 'node:crypto';
import type { VersionRecord } from '../../src/contract/image.ts';
import { canonicalJson } from '../../src/image/canonical-json.ts';
import { createSigner, formatPublicKey, type PublicKey, type Signer } from '../../src/image/signature.ts';
import { formatTrustDocument } from '../../src/image/trust-document.ts';
import { signVersion } from '../../src/store/trust.ts';

/** One question to a reader, and its answer. Everything in it is text, as it stands in the files (`docs/trust.md`). */
export interface TrustCase {
  name: string;
  /** What the reader was given to begin with: a trust document or a public key file. */
  start: string;
  /** ISO 8601. */
  now: string;
  /** The store's trust documents: `trust/1.json` and so on. */
  documents: readonly { text: string; signatures: string }[];
  /** The store's versions of the image `web`; signatures may be missing. */
  versions: readonly { record: string; signatures?: string }[];
  /** What the reader remembers of the image. */
  seen?: { record: string; signatures: string };
  /** Number of the version that is asked for. */
  wanted: number;
  /** `use`: as a system, now; `look`: to be read only. */
  purpose: 'use' | 'look';
  /** `ok`, or the code of the error. */
  answer: string;
}

/** Seeds are 32 equal bytes: known to everyone, for vectors only. */
const seeds = { server: 1, anna: 2, ben: 3, carl: 4, release: 5, second: 6, mallory: 7 } as const;
type Name = keyof typeof seeds;

export const signers = Object.fromEntries(
  Object.entries(seeds).map(([name, byte]) => [name, signerOf(byte)]),
) as Record<Name, Signer>;

const now = '2026-06-01T00:00:00Z';
const pub = (name: Name) => formatPublicKey(signers[name].publicKey);

export function makeCases(): TrustCase[] {
  const server = { start: pub('server'), now, documents: [], wanted: 1, purpose: 'use' } as const;
  const one = document(1, { root: ['server'], release: ['server'], by: ['server'] });
  const team = document(2, {
    root: ['anna', 'ben', 'carl'],
    rootThreshold: 2,
    release: ['release'],
    by: ['server', 'anna', 'carl'],
  });
  const chain = [one, team];
  const byTeam = { start: pub('server'), now, documents: chain, wanted: 1, purpose: 'use' } as const;
  const twoMust = document(1, {
    root: ['server'],
    release: ['release', 'second'],
    releaseThreshold: 2,
    by: ['server'],
  });
  const expiring = document(1, {
    root: ['server'],
    release: ['server'],
    by: ['server'],
    expires: '2026-05-31T23:59:59Z',
  });
  const longer = document(2, {
    root: ['server'],
    release: ['server'],
    by: ['server'],
    expires: '2027-05-31T23:59:59Z',
  });
  const rotated = document(2, { root: ['server'], release: ['second'], by: ['server'] });
  const withdrawn = [version(1, ['server']), version(2, ['server']), version(3, ['server'], { floor: 2 })];
  return [
    { ...server, name: 'a single key is all: it signed', versions: [version(1, ['server'])], answer: 'ok' },
    { ...server, name: 'another key signed', versions: [version(1, ['mallory'])], answer: 'signature-wrong' },
    { ...server, name: 'nobody signed', versions: [version(1, [])], answer: 'signature-missing' },
    {
      ...server,
      name: 'the record was changed after it was signed',
      versions: [tampered(version(1, ['server']))],
      answer: 'signature-wrong',
    },
    { ...server, name: 'a signature among others', versions: [version(1, ['mallory', 'server'])], answer: 'ok' },

    {
      ...server,
      documents: [one],
      name: 'a first document by the key itself',
      versions: [version(1, ['server'])],
      answer: 'ok',
    },
    { ...byTeam, name: 'rotated to a team: the release key signs', versions: [version(1, ['release'])], answer: 'ok' },
    {
      ...byTeam,
      name: 'rotated to a team: the server’s key signs no longer',
      versions: [version(1, ['server'])],
      answer: 'signature-wrong',
    },
    { ...byTeam, name: 'a root key is no release key', versions: [version(1, ['anna'])], answer: 'signature-wrong' },
    {
      ...byTeam,
      start: one.text,
      name: 'begun with a document in hand',
      versions: [version(1, ['release'])],
      answer: 'ok',
    },
    {
      ...byTeam,
      start: team.text,
      documents: [],
      name: 'begun with a document, the store shows none',
      versions: [version(1, ['release'])],
      answer: 'ok',
    },

    {
      ...byTeam,
      documents: [
        one,
        document(2, { root: ['anna', 'ben'], rootThreshold: 2, release: ['release'], by: ['anna', 'ben'] }),
      ],
      name: 'a document that the keys before it did not sign',
      versions: [version(1, ['release'])],
      answer: 'trust-wrong',
    },
    {
      ...byTeam,
      documents: [
        one,
        document(2, { root: ['anna', 'ben'], rootThreshold: 2, release: ['release'], by: ['server', 'anna'] }),
      ],
      name: 'a document with too few of its own signatures',
      versions: [version(1, ['release'])],
      answer: 'trust-wrong',
    },
    {
      ...byTeam,
      documents: [...chain, document(3, { root: ['anna'], release: ['mallory'], by: ['anna'] })],
      name: 'one of two root keys is not enough',
      versions: [version(1, ['mallory'])],
      answer: 'trust-wrong',
    },
    {
      ...byTeam,
      documents: [...chain, document(3, { root: ['anna'], release: ['second'], by: ['anna', 'ben'] })],
      name: 'two of three root keys are',
      versions: [version(1, ['second'])],
      answer: 'ok',
    },
    {
      ...byTeam,
      documents: [...chain, twice(document(3, { root: ['anna'], release: ['mallory'], by: ['anna'] }))],
      name: 'one root key that signed twice is one',
      versions: [version(1, ['mallory'])],
      answer: 'trust-wrong',
    },
    {
      ...byTeam,
      documents: [one, renumbered(team, 4)],
      name: 'a document out of turn',
      versions: [version(1, ['release'])],
      answer: 'corrupt-record',
    },
    {
      ...byTeam,
      documents: [document(1, { root: ['mallory'], release: ['mallory'], by: ['mallory'] })],
      name: 'a mirror with a chain of its own',
      versions: [version(1, ['mallory'])],
      answer: 'trust-wrong',
    },
    {
      ...byTeam,
      documents: [sameKeyTwice(['server'])],
      name: 'a document that names one key twice',
      versions: [version(1, ['server'])],
      answer: 'corrupt-record',
    },
    {
      ...byTeam,
      documents: [otherId(['server'])],
      name: 'a document that names one key under two ids',
      versions: [version(1, ['server'])],
      answer: 'corrupt-record',
    },

    {
      ...server,
      documents: [twoMust],
      name: 'two must sign, and did',
      versions: [version(1, ['release', 'second'])],
      answer: 'ok',
    },
    {
      ...server,
      documents: [twoMust],
      name: 'two must sign, one did',
      versions: [version(1, ['release'])],
      answer: 'signatures-few',
    },
    {
      ...server,
      documents: [twoMust],
      name: 'two must sign, one did twice',
      versions: [twiceSigned(version(1, ['release']))],
      answer: 'signatures-few',
    },
    {
      ...server,
      documents: [twoMust],
      name: 'two must sign, one did and a stranger',
      versions: [version(1, ['release', 'mallory'])],
      answer: 'signatures-few',
    },

    {
      ...server,
      documents: [expiring],
      name: 'the newest document has expired',
      versions: [version(1, ['server'])],
      answer: 'trust-expired',
    },
    {
      ...server,
      documents: [expiring],
      purpose: 'look',
      name: 'the newest document has expired, to look at',
      versions: [version(1, ['server'])],
      answer: 'trust-expired',
    },
    {
      ...server,
      documents: [expiring, longer],
      name: 'an expired document on the way',
      versions: [version(1, ['server'])],
      answer: 'ok',
    },

    {
      ...server,
      name: 'good until tomorrow',
      versions: [version(1, ['server'], { expires: '2026-06-02T00:00:00Z' })],
      answer: 'ok',
    },
    {
      ...server,
      name: 'expired at this very moment',
      versions: [version(1, ['server'], { expires: now })],
      answer: 'version-expired',
    },
    {
      ...server,
      purpose: 'look',
      name: 'expired, to look at',
      versions: [version(1, ['server'], { expires: '2026-01-01T00:00:00Z' })],
      answer: 'ok',
    },
    {
      ...server,
      name: 'expired, but a newer one vouches for it',
      versions: [version(1, ['server'], { expires: '2026-01-01T00:00:00Z' }), version(2, ['server'])],
      answer: 'ok',
    },
    {
      ...server,
      name: 'expired, and a stranger’s newer one vouches for nothing',
      versions: [version(1, ['server'], { expires: '2026-01-01T00:00:00Z' }), version(2, ['mallory'])],
      answer: 'version-expired',
    },
    {
      ...server,
      wanted: 2,
      name: 'expired, and an older one vouches for nothing',
      versions: [version(1, ['server']), version(2, ['server'], { expires: '2026-01-01T00:00:00Z' })],
      answer: 'version-expired',
    },

    { ...server, name: 'below the floor', versions: withdrawn, answer: 'version-withdrawn' },
    { ...server, purpose: 'look', name: 'below the floor, to look at', versions: withdrawn, answer: 'ok' },
    { ...server, wanted: 2, name: 'a rollback above the floor', versions: withdrawn, answer: 'ok' },
    {
      ...server,
      name: 'below the floor of a stranger',
      versions: [version(1, ['server']), version(2, ['mallory'], { floor: 2 })],
      answer: 'ok',
    },
    {
      ...server,
      name: 'below the floor, under an unsigned newest',
      versions: [...withdrawn, version(4, [])],
      answer: 'version-withdrawn',
    },
    {
      ...server,
      name: 'a replay: what was seen is held back',
      versions: withdrawn.slice(0, 2),
      seen: seen(version(3, ['server'], { floor: 2 })),
      answer: 'version-withdrawn',
    },
    {
      ...server,
      wanted: 2,
      name: 'what was seen is held back, above the floor',
      versions: withdrawn.slice(0, 2),
      seen: seen(version(3, ['server'], { floor: 2 })),
      answer: 'ok',
    },
    {
      ...server,
      name: 'what was seen and has expired still has its floor',
      versions: withdrawn.slice(0, 2),
      seen: seen(version(3, ['server'], { floor: 2, expires: '2026-01-01T00:00:00Z' })),
      answer: 'version-withdrawn',
    },
    {
      ...server,
      wanted: 2,
      documents: [one, rotated],
      name: 'a floor by a key that was taken out counts no longer',
      versions: [version(1, ['server']), version(2, ['second'])],
      seen: seen(version(900, ['server'], { floor: 900 })),
      answer: 'ok',
    },
    {
      ...server,
      name: 'a floor above its own number is its number',
      versions: [version(1, ['server'], { floor: 7 })],
      answer: 'ok',
    },
  ];
}

interface DocumentDraft {
  root: Name[];
  rootThreshold?: number;
  release: Name[];
  releaseThreshold?: number;
  expires?: string;
  by: Name[];
}

function document(number: number, draft: DocumentDraft): { text: string; signatures: string } {
  const keys = (names: Name[]): PublicKey[] => names.map((name) => signers[name].publicKey);
  const text = formatTrustDocument({
    version: number,
    created: '2026-01-01T00:00:00Z',
    ...(draft.expires === undefined ? {} : { expires: draft.expires }),
    root: { keys: keys(draft.root), threshold: draft.rootThreshold ?? 1 },
    release: { keys: keys(draft.release), threshold: draft.releaseThreshold ?? 1 },
  });
  return { text, signatures: signText(text, draft.by, `imprint trust ${number}`) };
}

function signText(text: string, by: readonly Name[], comment: string): string {
  return by.map((name) => signers[name].sign(Buffer.from(text), comment)).join('');
}

function version(
  number: number,
  by: Name[],
  more: { floor?: number; expires?: string } = {},
): TrustCase['versions'][number] {
  const record: VersionRecord = {
    format: 1,
    image: 'web',
    number,
    digest: `sha256:${String(number).padStart(64, '0')}`,
    manifestBytes: 1000 + number,
    created: '2026-01-02T03:04:05.678Z',
    ...more,
    source: { location: '/golden', bootMode: 'unknown', disks: [], fileSystems: [] },
    stats: { entries: 1, files: 0, logicalBytes: 0, contentBytes: 0, newChunks: 0, newBytes: 0 },
    excluded: [],
    scrubbed: [],
    warnings: [],
  };
  const text = canonicalJson(record);
  if (by.length === 0) return { record: text };
  return { record: text, signatures: by.map((name) => signVersion(signers[name], record, text)).join('') };
}

function seen({ record, signatures = '' }: TrustCase['versions'][number]): { record: string; signatures: string } {
  return { record, signatures };
}

function tampered({ record, ...rest }: TrustCase['versions'][number]): TrustCase['versions'][number] {
  return { record: record.replace('"manifestBytes":1001', '"manifestBytes":1002'), ...rest };
}

function twiceSigned({ record, signatures = '' }: TrustCase['versions'][number]): TrustCase['versions'][number] {
  return { record, signatures: signatures + signatures };
}

function twice({ text, signatures }: { text: string; signatures: string }): { text: string; signatures: string } {
  return { text, signatures: signatures + signatures };
}

function renumbered({ text, signatures }: { text: string; signatures: string }, number: number) {
  return { text: text.replace(/"version":\d+/, `"version":${number}`), signatures };
}

/** A key that is named twice could sign for two; the reader refuses the document. */
function sameKeyTwice(by: Name[]): { text: string; signatures: string } {
  const { text } = document(1, { root: ['server', 'anna'], rootThreshold: 2, release: ['server'], by });
  const twiceText = text.replaceAll(line('anna'), line('server'));
  return { text: twiceText, signatures: signText(twiceText, by, 'imprint trust 1') };
}

function otherId(by: Name[]): { text: string; signatures: string } {
  const { text } = document(1, { root: ['server', 'anna'], rootThreshold: 2, release: ['server'], by });
  const bytes = Buffer.from(line('server'), 'base64');
  bytes.fill(0xab, 2, 10);
  const twiceText = text.replaceAll(line('anna'), bytes.toString('base64'));
  return { text: twiceText, signatures: signText(twiceText, by, 'imprint trust 1') };
}

function line(name: Name): string {
  return pub(name).split('\n')[1] ?? '';
}

function signerOf(byte: number): Signer {
  const seed = Buffer.alloc(32, byte);
  const der = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed]);
  return createSigner(createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }));
}
