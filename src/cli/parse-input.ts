import type { z } from 'zod';
import { ImprintError } from '../foundation/errors.ts';

/** Input by the contract's schema, with its defaults. Throws `input-invalid` for the first thing that is wrong. */
export function parseInput<Schema extends z.ZodType>(schema: Schema, value: z.input<Schema>): z.output<Schema> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const field = issue === undefined || issue.path.length === 0 ? 'input' : issue.path.join('.');
  throw new ImprintError('input-invalid', { field, problem: issue?.message ?? 'it does not fit' });
}
