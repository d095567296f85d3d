/** What a stream can show: whether a person sits at it, how wide it is, and which characters and colours it takes. */
export interface Terminal {
  /** True where a person watches: lines may be redrawn and questions asked. */
  readonly interactive: boolean;
  readonly colour: boolean;
  /** False: ASCII only. */
  readonly unicode: boolean;
  /** Width and height in cells, asked anew each time: a window may be resized. */
  readonly columns: number;
  readonly rows: number;
  /** Paints text, or leaves it as it is where there are no colours. */
  paint(style: Style, text: string): string;
  /** Text in the characters that this terminal has. */
  plain(text: string): string;
  write(text: string): void;
}

export type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'blue' | 'cyan';

/** The part of a writable stream that a terminal needs. */
export interface TerminalStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
  write(text: string): unknown;
}

const codes: Record<Style, readonly [number, number]> = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  blue: [34, 39],
  cyan: [36, 39],
};

/** Typography of our messages for terminals that have ASCII only. */
const asciiFor: Record<string, string> = {
  '“': '"',
  '”': '"',
  '‘': "'",
  '’': "'",
  '…': '...',
  '–': '-',
  '—': '-',
  '·': '-',
  '→': '->',
  '≤': '<=',
  '≥': '>=',
  '✓': 'ok',
  '✗': 'FAILED',
  '×': 'x',
  '\u202f': ' ',
};

/** The terminal behind a stream, by `NO_COLOR`, `FORCE_COLOR`, `TERM` and the locale. */
export function openTerminal(stream: TerminalStream, environment: NodeJS.ProcessEnv): Terminal {
  const interactive = stream.isTTY === true && environment.TERM !== 'dumb';
  const locale = environment.LC_ALL || environment.LC_CTYPE || environment.LANG || '';
  const unicode = /utf-?8/i.test(locale);
  const forced = environment.FORCE_COLOR !== undefined && environment.FORCE_COLOR !== '0';
  const colour = !environment.NO_COLOR && (interactive || forced);
  return {
    interactive,
    colour,
    unicode,
    get columns() {
      return stream.columns && stream.columns > 0 ? stream.columns : 80;
    },
    get rows() {
      return stream.rows && stream.rows > 0 ? stream.rows : 24;
    },
    paint: (style, text) =>
      colour && text !== '' ? `\u001b[${codes[style][0]}m${text}\u001b[${codes[style][1]}m` : text,
    plain: (text) => (unicode ? text : text.replaceAll(/[^\x00-\x7f]/gu, (character) => asciiFor[character] ?? '?')),
    write: (text) => void stream.write(text),
  };
}
