/** What people are to see of a line that a command said. */
export type ToldLine =
  /** What goes on now: seen until the next. */
  | { readonly kind: 'now'; readonly text: string }
  /** A step that ended, or a task that failed; `took`: `21 s`. */
  | { readonly kind: 'step' | 'failed'; readonly text: string; readonly took: string }
  | { readonly kind: 'plain'; readonly text: string };

/**
 * Reads what commands say on a pipe (`src/cli/progress-lines.ts`): the task's name stands before each line there, and each step begins and ends with one;
 * here the command stands above, and a step is told once.
 */
export class ToldLines {
  #task: string | undefined;

  /** One for each command. */
  read(line: string): ToldLine {
    const [, ordered, order] = /^(.+): ordered: (.+)$/.exec(line) ?? [];
    if (ordered !== undefined && ordered === order)
      return { kind: 'now', text: 'ordered; the machine asks for it soon' };
    const [, begun] = /^(.+): started$/.exec(line) ?? [];
    if (this.#task === undefined && begun !== undefined && !begun.includes(': ')) {
      this.#task = begun;
      return { kind: 'now', text: begun };
    }
    const own = this.#task !== undefined && line.startsWith(`${this.#task}: `);
    const text = own ? line.slice((this.#task?.length ?? 0) + 2) : line;
    if (begun !== undefined) return { kind: 'now', text: text.slice(0, -': started'.length) };
    if (/(^|: )\d+ %, /.test(text)) return { kind: 'now', text };
    const [, after] = /^failed after ([\d.:]+(?: s)?)$/.exec(own ? text : '') ?? [];
    if (after !== undefined) return { kind: 'failed', text: `${this.#task ?? ''}: given up`, took: after };
    const [, what = '', amount, took] = /^(?:(.*): )?done(?:, (.*))? in ([\d.:]+(?: s)?)$/.exec(text) ?? [];
    if (took === undefined) return { kind: 'plain', text };
    const step = what === '' ? `${this.#task ?? 'all'}: done` : what;
    if (what === '') this.#task = undefined;
    const told = amount === undefined || step.includes(amount) ? step : `${step}, ${amount}`;
    return { kind: 'step', text: told, took };
  }
}
