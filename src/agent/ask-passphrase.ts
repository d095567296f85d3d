import type { InstallQuestions } from './ask-install.ts';

/** The least that is taken: cryptsetup itself takes anything. */
const least = 8;

/**
 * Asks somebody at the machine for the passphrase of its encrypted devices, twice, for what is typed wrong opens nothing ever again. Nothing is written before. Rejects only when
 * aborted.
 */
export async function askPassphrase(machine: string, { screen, question, signal }: InstallQuestions): Promise<string> {
  for (;;) {
    screen.line('');
    screen.line(`${machine} gets encrypted devices. Type their passphrase and Enter; it shows as you type.`);
    const first = await question.answer(signal);
    if (first.length < least) {
      screen.line(`That is too short: it has ${least} characters at least.`);
      continue;
    }
    screen.line('Once more, please.');
    if ((await question.answer(signal)) === first) return first;
    screen.line('That was another one.');
  }
}
