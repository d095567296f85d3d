/** Text for a console that may know nothing but ASCII. */

const replacements: ReadonlyArray<readonly [RegExp, string]> = [
  [/[“”„]/g, '"'],
  [/[‘’]/g, "'"],
  [/…/g, '...'],
  [/[–—]/g, '-'],
  [/→/g, '->'],
  [/[·•]/g, '*'],
  [/ /g, ' '],
];

/** The text in ASCII: quotes and dashes by their plain forms, what is left and cannot be shown as `?`. */
export function asciiText(text: string): string {
  const plain = replacements.reduce((rest, [pattern, plainer]) => rest.replaceAll(pattern, plainer), text);
  return plain.replaceAll(/[^\x20-\x7e]/g, '?');
}

/** At most `width` characters, the last ones `...` where something is missing. */
export function cutLine(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, width - 3)}...`;
}

/** Lines of at most `width` characters, broken between words; a longer word stands alone. */
export function wrapText(text: string, width: number): string[] {
  return text.split('\n').flatMap((paragraph) => {
    const lines: string[] = [];
    let line = '';
    for (const word of paragraph.split(' ')) {
      if (line !== '' && line.length + 1 + word.length > width) {
        lines.push(line);
        line = word;
      } else {
        line = line === '' ? word : `${line} ${word}`;
      }
    }
    return [...lines, line];
  });
}

/** `[#####-----]` */
export function progressBar(share: number, width: number): string {
  const full = Math.round(Math.max(0, Math.min(share, 1)) * width);
  return `[${'#'.repeat(full)}${'-'.repeat(width - full)}]`;
}

/** `4 s`, `2:05`, `1:02:05`. */
export function formatDuration(milliseconds: number): string {
  const seconds = Math.max(0, Math.round(milliseconds / 1000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  const two = (value: number) => String(value).padStart(2, '0');
  if (minutes < 60) return `${minutes}:${two(seconds % 60)}`;
  return `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${two(seconds % 60)}`;
}
