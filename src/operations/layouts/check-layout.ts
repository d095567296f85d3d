import type { z } from 'zod';
import type { layoutCheck } from '../../contract/operations/layouts.ts';
import { ImprintError } from '../../foundation/errors.ts';
import { examineLayout } from '../../machine/layout-file.ts';
import type { Context } from '../context.ts';
import { layoutText } from './find-layout.ts';

type Checked = z.output<typeof layoutCheck.output>;

/** Everything that is wrong with a layout. Errors: `layout-invalid` (it is no YAML), `image-not-found`. */
export async function checkLayout(context: Context, input: z.output<typeof layoutCheck.input>): Promise<Checked> {
  const { name } = input;
  return { name, problems: examineLayout(input.text ?? (await layoutText(context, input)), name).problems };
}

/** The failure that the problems amount to; undefined where there are none. */
export function layoutFails({ problems }: Checked): ImprintError | undefined {
  const [first, ...more] = problems;
  if (first === undefined) return undefined;
  const problem = more.length === 0 ? first.problem : `${first.problem} (and ${more.length} more)`;
  return new ImprintError('layout-invalid', { place: first.place, problem });
}
