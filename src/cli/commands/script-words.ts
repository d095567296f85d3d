import { type ScriptAudience, type ScriptPhase, scriptPhases } from '../../contract/scripts.ts';
import { ImprintError } from '../../foundation/errors.ts';
import type { Invocation } from '../command.ts';

export function readPhase(invocation: Invocation): ScriptPhase {
  const said = invocation.argument(0);
  const phase = scriptPhases.find((each) => each === said);
  if (phase !== undefined) return phase;
  throw new ImprintError('input-invalid', {
    field: 'PHASE',
    problem: `“${said}” is none of ${scriptPhases.join(', ')}`,
  });
}

/** Whom `--image`, `--group` or `--machine` names; none of them: all. Throws `usage` for more than one. */
export function readAudience(invocation: Invocation): ScriptAudience {
  const given = (['image', 'group', 'machine'] as const).flatMap((kind) => {
    const name = invocation.text(kind);
    return name === undefined ? [] : [{ kind, name }];
  });
  if (given.length > 1) {
    throw new ImprintError('usage', {
      problem: 'A script is for one image, one group or one machine.',
      hint: 'Put machines into a group: imprint machine set web[01-20] --group NAME',
    });
  }
  return given[0] ?? { kind: 'all' };
}

/** The same in one word. */
export function audienceWord(audience: ScriptAudience): string {
  return audience.kind === 'all' ? 'all' : `${audience.kind}:${audience.name}`;
}
