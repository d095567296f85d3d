import { ImprintError } from '../foundation/errors.ts';
import { FormatError } from '../image/format-error.ts';
import { succeedTrust, type TrustDocument } from '../image/trust-document.ts';
import { trustPath } from './layout.ts';
import type { Store } from './store.ts';

/** Documents that are followed in one go: a store that shows more has no end. */
const stepLimit = 1024;

/**
 * The trust documents that a store shows, newest first, step by step back to one that is trusted: each must be signed by the root keys of
 * the one before. Whether it has expired is not asked here. Throws `trust-wrong`, `corrupt-record`, `store-unreachable`.
 */
export async function followTrust(
  trusted: TrustDocument,
  store: Pick<Store, 'trustDocument' | 'location'>,
): Promise<[TrustDocument, ...TrustDocument[]]> {
  const chain: [TrustDocument, ...TrustDocument[]] = [trusted];
  for (let step = 0; step < stepLimit; step += 1) {
    const [current] = chain;
    const next = await store.trustDocument(current.version + 1);
    if (next === undefined) return chain;
    try {
      chain.unshift(succeedTrust(current, next.text, next.signatures));
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      const document = `${store.location}/${trustPath(current.version + 1)}`;
      throw new ImprintError('trust-wrong', { document, problem: error.message }, { cause: error });
    }
  }
  const problem = `more than ${stepLimit} documents follow one another`;
  throw new ImprintError('trust-wrong', { document: `${store.location}/trust`, problem });
}
