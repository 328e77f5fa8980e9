import type { LogLine } from './types.ts';

/** An entry of the log, and the text it was read from. */
export interface Entry {
  readonly line: LogLine;
  /** Of very large entries the beginning only. */
  readonly text: string;
}

/** So many characters of an entry are kept: what is behind them nobody reads on this page. */
const TEXT_MAX = 64 * 1024;
const DATA = ',"data":';
const FIRST_MEMBERS = /^\{"tick":"\d+","type":\d+/;
const NOTHING = '{"tick":"0","type":0';

/** Makes entries of the pieces of a text with an entry a line, and holds no more than one of them. */
export class LogLines {
  #begun = '';

  /** The entries that end in this piece; empty lines only say that the server lives. */
  add(piece: string): Entry[] {
    const lines = piece.split('\n');
    const last = lines.pop() ?? '';
    const [first = ''] = lines;
    if (lines.length > 0) {
      lines[0] = this.#begun + first;
      this.#begun = '';
    }
    if (this.#begun.length <= TEXT_MAX) this.#begun += last;
    return lines.filter((line) => line !== '').map(entryOf);
  }
}

function entryOf(whole: string): Entry {
  if (whole.length <= TEXT_MAX) return { text: whole, line: JSON.parse(whole) as LogLine };
  // The document is the last member, and the only one that grows as large as one likes.
  const text = whole.slice(0, TEXT_MAX);
  const data = text.indexOf(DATA);
  const head = data > 0 ? text.slice(0, data) : (FIRST_MEMBERS.exec(text)?.[0] ?? NOTHING);
  return { text: `${text} …`, line: JSON.parse(`${head}}`) as LogLine };
}
