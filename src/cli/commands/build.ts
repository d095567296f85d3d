import { buildInputSchema } from '../../contract/operations/builds.ts';
import { buildImage } from '../../operations/build/build-image.ts';
import { readRecipe } from '../../operations/build/read-recipe.ts';
import type { Invocation } from '../command.ts';
import { parseInput } from '../parse-input.ts';
import type { Session } from '../session.ts';
import { describeVersion } from './edit.ts';

/** `imprint build RECIPE`. */
export async function run(session: Session, invocation: Invocation): Promise<void> {
  const tag = invocation.text('tag');
  const message = invocation.text('message');
  const input = parseInput(buildInputSchema, {
    recipe: invocation.argument(0),
    keep: invocation.flag('keep'),
    ...(tag === undefined ? {} : { tag }),
    ...(message === undefined ? {} : { message }),
  });
  const { recipe } = await readRecipe(input);
  if (session.globals.dryRun) {
    const base = recipe.base.image ?? recipe.base.suite;
    const parts = [
      `${recipe.packages.length} packages`,
      `${recipe.files.length} files`,
      `${recipe.scripts.length} scripts`,
    ].join(', ');
    session.result({ dryRun: true, recipe }, () => `would build ${recipe.name} from ${base}: ${parts}\n`);
    return;
  }
  // Directories on the way to what is laid down are everybody's to enter, whoever builds.
  process.umask(0o022);
  const context = await session.context();
  const stage = { environment: session.environment, say: (text: string) => session.say(text) };
  const output = await session.task(`build ${recipe.name}`, (task) => buildImage(context, input, stage, task));
  session.result(output, () => describeVersion(output, session));
}
