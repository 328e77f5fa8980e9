import { send } from './api.ts';
import { byId, make, setList, setText } from './dom.ts';
import { indented } from './state-panels.ts';
import type { LogLine } from './types.ts';
import { entrySubject, entryWords } from './words.ts';

/** An entry and the text it was read from. */
interface Entry {
  readonly line: LogLine;
  readonly text: string;
}

const SHOWN = 50;
const CHUNK_BYTES = 128 * 1024;
/** How far behind the end of the log the newest entries are looked for; ticks are not all used by one log. */
const REACHES = [100n, 1_000n, 10_000n, 100_000n] as const;
/** So many are enough to stop looking further back. */
const ENOUGH = 25;

/** The newest entries of a log, as they come. */
export class EntriesPanel {
  readonly #pause = byId('entries-pause', HTMLButtonElement);
  #entries: readonly Entry[] = [];
  /** Everything up to here was read; undefined before the first time. */
  #position: bigint | undefined;

  constructor() {
    this.#pause.addEventListener('click', () => {
      const isPaused = !this.#isPaused;
      this.#pause.setAttribute('aria-pressed', String(isPaused));
      setText(this.#pause, isPaused ? 'Go on' : 'Pause');
    });
  }

  /** Forgets what is shown: another database is looked at. */
  clear(): void {
    this.#entries = [];
    this.#position = undefined;
    this.#show();
  }

  /** Reads what is new in the log up to `last`. What is more than can be looked at is passed over. */
  async update(database: string, first: bigint, last: bigint): Promise<void> {
    if (this.#isPaused) return;
    const position = this.#position;
    // A log that is shorter than before is another one.
    if (position !== undefined && last < position) this.clear();
    if (position === last) return;
    const [reach] = REACHES;
    const isNear = position !== undefined && last - position <= reach;
    const found = isNear
      ? await readEntries(database, position, last)
      : await readNewest(database, first, last);
    this.#position = last;
    const known = new Set(this.#entries.map(({ text }) => text));
    const added = found.filter(({ text }) => !known.has(text));
    this.#entries = [...added.reverse(), ...this.#entries].slice(0, SHOWN);
    this.#show();
  }

  get #isPaused(): boolean {
    return this.#pause.getAttribute('aria-pressed') === 'true';
  }

  #show(): void {
    setText(byId('entries-note'), this.#entries.length === 0 ? 'none yet' : '');
    setList(byId('entries-rows'), this.#entries, {
      keyOf: ({ line, text }) => `${line.tick}:${text.length}`,
      create: entryRow,
      update: () => undefined,
    });
  }
}

function entryRow({ line, text }: Entry): HTMLElement {
  const summary = make(
    'summary',
    '',
    make('span', '', entryWords(line)),
    make('span', 'subject', entrySubject(line)),
    make('span', 'tick', line.tick),
  );
  const row = make('details', '', summary);
  row.addEventListener('toggle', () => {
    if (row.children.length > 1) return;
    const shown = make('pre', '', indented(text));
    shown.tabIndex = 0;
    row.append(shown);
  });
  return row;
}

async function readNewest(database: string, first: bigint, last: bigint): Promise<Entry[]> {
  let found: Entry[] = [];
  for (const reach of REACHES) {
    const from = last > reach ? last - reach : 0n;
    found = await readEntries(database, from, last);
    if (found.length >= ENOUGH || from < first) break;
  }
  return found.slice(-SHOWN);
}

/** Entries above `from` up to `to`; of very large ones the first only. */
async function readEntries(database: string, from: bigint, to: bigint): Promise<Entry[]> {
  const query = `from=${from}&to=${to}&chunkSize=${CHUNK_BYTES}`;
  const path = `/_api/replication/logger-follow?${query}`;
  const response = await send('GET', database, path);
  const text = await response.text();
  return text
    .split('\n')
    .filter((each) => each !== '')
    .map((each) => ({ text: each, line: JSON.parse(each) as LogLine }));
}
