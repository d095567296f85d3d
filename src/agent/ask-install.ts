import { machineNameSchema } from '../contract/machine.ts';
import { ImprintError } from '../foundation/errors.ts';
import type { StoredVersion } from '../store/store.ts';
import type { ConsoleQuestion } from './console-question.ts';
import type { ConsoleScreen } from './console-screen.ts';

/** What somebody at the machine chose. */
export interface ChosenInstall {
  image: string;
  hostName: string;
}

export interface InstallQuestions {
  readonly screen: ConsoleScreen;
  readonly question: ConsoleQuestion;
  readonly signal: AbortSignal;
}

/**
 * Asks somebody at the machine what it is to become: for a medium that carries versions, where no `local.cfg` says which and no server is named. Nothing is written by the
 * answers: the disk is asked about afterwards. Errors: `image-not-found` where the medium carries none.
 */
export async function askInstall(
  versions: readonly StoredVersion[],
  { screen, question, signal }: InstallQuestions,
): Promise<ChosenInstall> {
  const images = versions.map(({ record }) => `${record.image}:${record.number}`);
  if (images.length === 0) throw new ImprintError('image-not-found', { reference: 'any', store: 'this medium' });
  screen.line('');
  screen.line('No local.cfg says what this machine is to become. This medium carries:');
  versions.forEach(({ record }, index) => {
    const system = record.source.system?.name;
    screen.line(`  ${index + 1}  ${images[index]}${system === undefined ? '' : `, ${system}`}`);
  });
  const image = await ask(
    { screen, question, signal },
    `Type its number and Enter to install one. Nothing is written before you were asked about the disk.`,
    (said) => images[Number(said) - 1] ?? images.find((each) => each === said || each.split(':')[0] === said),
    'That is none of them.',
  );
  const hostName = await ask(
    { screen, question, signal },
    `${image}. What is this machine to be called? Type its name and Enter.`,
    (said) => (machineNameSchema.safeParse(said).success ? said.toLowerCase() : undefined),
    'A name has letters, digits, dots and hyphens.',
  );
  return { image, hostName };
}

async function ask(
  { screen, question, signal }: InstallQuestions,
  text: string,
  read: (said: string) => string | undefined,
  wrong: string,
): Promise<string> {
  for (;;) {
    screen.line(text);
    const answer = read(await question.answer(signal));
    if (answer !== undefined) return answer;
    screen.line(wrong);
  }
}
