import {
  type ImagerEvents,
  type ImagerHello,
  type ImagerOrder,
  type ImagerOutcome,
  imagerOrderSchema,
} from '../contract/imager-protocol.ts';
import type { PublicKey } from '../image/signature.ts';
import { type SignedClient, signedClient, signedWire } from './signed-wire.ts';

/** The server as the imager speaks to it (`docs/imager-protocol.md`). */
export type ServerClient = SignedClient<ImagerHello, ImagerEvents, ImagerOutcome, ImagerOrder>;

/** A client of the server at `url` that trusts `key` alone. */
export function serverClient(url: string, key: PublicKey): ServerClient {
  return signedClient(signedWire(url, 'imager/v1', key, imagerOrderSchema));
}
