import type { Terminal } from './terminal.ts';
import { cutText, textWidth } from './text-width.ts';

const up = (rows: number) => (rows > 0 ? `\u001b[${rows}A` : '');
const hideCursor = '\u001b[?25l';
const showCursor = '\u001b[?25h';
/** Terminals that know synchronised output show each frame whole; the others ignore these. */
const beginFrame = '\u001b[?2026h';
const endFrame = '\u001b[?2026l';

/**
 * Lines at the bottom of a terminal that are drawn again and again in place, while lasting lines scroll up above them.
 * One write a frame; every line is cut to the window, so that none wraps; after a window was made narrower the rows
 * that the old lines now take are counted anew.
 */
export class LiveRegion {
  readonly #terminal: Terminal;
  #drawn: string[] = [];
  #open = false;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  /** Draws `lines` in the place of those drawn before, below `above`, which stays for good. */
  draw(lines: readonly string[], above: readonly string[] = []): void {
    const mark = this.#terminal.unicode ? '…' : '...';
    const columns = this.#terminal.columns;
    const kept = lines.slice(0, Math.max(1, this.#terminal.rows - 2));
    const shown = kept.map((line) => cutText(this.#terminal.plain(line), columns - 1, mark));
    // The cursor rests at the end of the last drawn line.
    const back = this.#drawn.reduce((rows, line) => rows + Math.max(1, Math.ceil(textWidth(line) / columns)), -1);
    const lasting = above.map((line) => `${this.#terminal.plain(line)}\u001b[K\n`).join('');
    const body = shown.map((line) => `${line}\u001b[K`).join('\n');
    this.#terminal.write(
      `${beginFrame}${this.#open ? '' : hideCursor}\r${up(back)}${lasting}${body}\u001b[J${endFrame}`,
    );
    this.#open = true;
    this.#drawn = shown;
  }

  /** Takes the region away and gives the cursor back. */
  close(): void {
    if (!this.#open) return;
    this.draw([]);
    this.#terminal.write(`\r${showCursor}`);
    this.#open = false;
    this.#drawn = [];
  }
}
