import type { z } from 'zod';
import { ImprintError } from '../foundation/errors.ts';

/** Input by the contract's schema, with its defaults. `options`: what people call a field, where that is another name. Throws `input-invalid` for the first thing that is wrong. */
export function parseInput<Schema extends z.ZodType>(
  schema: Schema,
  value: z.input<Schema>,
  options: Readonly<Record<string, string>> = {},
): z.output<Schema> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const path = issue?.path.map(String) ?? [];
  const field = options[path[0] ?? ''] ?? (path.length === 0 ? 'input' : path.join('.'));
  throw new ImprintError('input-invalid', { field, problem: issue?.message ?? 'it does not fit' });
}
