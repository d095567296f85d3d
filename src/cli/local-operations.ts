import type { z } from 'zod';
import type { Operation } from '../contract/operation.ts';
import { ImprintError } from '../foundation/errors.ts';
import { dataOperations } from '../operations/bound-operations.ts';
import type { Context } from '../operations/context.ts';
import { parseInput } from './parse-input.ts';

/** Runs an operation of the server in this process, while no server runs on the data directory. */
export async function runLocally<Input extends z.ZodType, Output extends z.ZodType>(
  context: Context,
  operation: Operation<Input, Output>,
  input: z.input<Input>,
): Promise<z.output<Output>> {
  const found = dataOperations().find((each) => each.operation.name === operation.name);
  if (found) return (await found.run(context, parseInput(operation.input, input))) as z.output<Output>;
  const problem = `none runs on ${context.paths.data}`;
  throw new ImprintError('server-unreachable', { server: 'of this machine', problem });
}
