import type { z } from 'zod';
import type { trustShow } from '../../contract/operations/trust.ts';
import { floorOf } from '../../image/accept-version.ts';
import { trustedOnly } from '../../store/version-guard.ts';
import type { Context } from '../context.ts';
import { findTrust } from './find-guard.ts';
import { readPending } from './pending-trust.ts';
import { newestTrust } from './release-signer.ts';
import { shownTrust } from './shown-trust.ts';

/** Whom this place trusts, and what it has seen. Nothing is made: a place without a key has none afterwards, either. */
export async function showTrust(context: Context): Promise<z.input<typeof trustShow.output>> {
  const trust = context.trust === 'none' ? undefined : await findTrust(context);
  if (trust === undefined) return { chosen: false, seen: [] };
  const current = await newestTrust(context);
  const pending = await readPending(context, current);
  const evidence = (await trust.memory.allSeen()).filter((each) => trustedOnly(each, current) !== undefined);
  return {
    start: trust.path,
    chosen: trust.chosen,
    current: await shownTrust(context, current),
    ...(pending === undefined ? {} : { pending }),
    seen: evidence.map(({ record }) => ({
      image: record.image,
      number: record.number,
      floor: floorOf(record),
      ...(record.expires === undefined ? {} : { expires: record.expires }),
    })),
  };
}
