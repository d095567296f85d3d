/** Cells that text takes on a terminal: colour sequences none, combining marks none, East Asian wide characters two. */
export function textWidth(text: string): number {
  if (/^[\x20-\x7e]*$/.test(text)) return text.length;
  let width = 0;
  for (const character of text.replaceAll(escapes, '')) width += characterWidth(character.codePointAt(0) ?? 0);
  return width;
}

/** Text filled with blanks up to `width` cells; text that is longer stays as it is. */
export function padText(text: string, width: number, side: 'left' | 'right' = 'left'): string {
  const blanks = ' '.repeat(Math.max(0, width - textWidth(text)));
  return side === 'left' ? text + blanks : blanks + text;
}

/** Text cut to at most `width` cells, with `mark` at the place of the cut; colours that were open are closed. */
export function cutText(text: string, width: number, mark = '…'): string {
  if (textWidth(text) <= width) return text;
  const room = width - textWidth(mark);
  let used = 0;
  let result = '';
  for (const piece of text.matchAll(new RegExp(`${escapes.source}|.`, 'gsu'))) {
    const [unit] = piece;
    if (unit.startsWith('\u001b')) {
      result += unit;
      continue;
    }
    const cells = characterWidth(unit.codePointAt(0) ?? 0);
    if (used + cells > room) break;
    used += cells;
    result += unit;
  }
  return `${result}${result.includes('\u001b') ? '\u001b[0m' : ''}${room < 0 ? mark.slice(0, width) : mark}`;
}

/** Words broken into lines of at most `width` cells. A word that is longer keeps its line to itself. */
export function wrapText(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const paragraph of text.split('\n')) {
    let line = '';
    for (const word of paragraph.split(' ')) {
      if (line !== '' && textWidth(line) + 1 + textWidth(word) > width) {
        lines.push(line);
        line = word;
      } else line = line === '' ? word : `${line} ${word}`;
    }
    lines.push(line);
  }
  return lines;
}

const escapes = /\u001b\[[0-9;?]*[A-Za-z]/g;

function characterWidth(code: number): number {
  if (code < 0x20 || (code >= 0x7f && code < 0xa0)) return 0;
  if (code < 0x300) return 1;
  if (code < 0x370 || code === 0x200b || code === 0x200d || (code >= 0xfe00 && code <= 0xfe0f)) return 0;
  const wide =
    (code >= 0x1100 && code <= 0x115f) ||
    (code >= 0x2e80 && code <= 0xa4cf) ||
    (code >= 0xac00 && code <= 0xd7a3) ||
    (code >= 0xf900 && code <= 0xfaff) ||
    (code >= 0xfe30 && code <= 0xfe6f) ||
    (code >= 0xff00 && code <= 0xff60) ||
    (code >= 0x1f300 && code <= 0x1faff) ||
    (code >= 0x20000 && code <= 0x3fffd);
  return wide ? 2 : 1;
}
