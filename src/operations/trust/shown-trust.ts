import type { ShownTrust } from '../../contract/trust.ts';
import { publicKeyLine, type TrustDocument, type TrustRole } from '../../image/trust-document.ts';
import { readSigners } from '../../store/keys.ts';
import type { Context } from '../context.ts';

/** A document as it is shown; `here` are keys whose private halves lie in the data directory. */
export async function shownTrust(context: Pick<Context, 'paths'>, document: TrustDocument): Promise<ShownTrust> {
  const ours = await readSigners(context.paths.data).catch(() => []);
  const role = ({ keys, threshold }: TrustRole) => ({
    threshold,
    keys: keys.map((key) => ({
      id: key.id,
      publicKey: publicKeyLine(key),
      here: ours.some(({ publicKey }) => publicKey.key.equals(key.key)),
    })),
  });
  const { version, created, expires, root, release } = document;
  return {
    version,
    ...(created === undefined ? {} : { created }),
    ...(expires === undefined ? {} : { expires }),
    root: role(root),
    release: role(release),
  };
}
