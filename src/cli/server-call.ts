import { existsSync } from 'node:fs';
import type { z } from 'zod';
import type { Operation } from '../contract/operation.ts';
import type { Session } from './session.ts';

/**
 * Calls an operation of the server: over HTTP where one is named or runs here, else in this process on the data
 * directory, so that machines can be registered before the server was ever started. Throws `server-unreachable` where
 * there is neither.
 */
export async function callServer<Input extends z.ZodType, Output extends z.ZodType>(
  session: Session,
  operation: Operation<Input, Output>,
  input: z.input<Input>,
): Promise<z.output<Output>> {
  const client = await session.findServer();
  if (client !== undefined) return client.call(operation, input);
  if (!existsSync(session.paths.data)) return (await session.server()).call(operation, input);
  const { runLocally } = await import('./local-operations.ts');
  return runLocally(await session.context(), operation, input);
}
