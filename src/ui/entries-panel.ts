import { Refused } from './api.ts';
import { byId, make, setList, setText } from './dom.ts';
import { indented } from './format.ts';
import { HEARTBEAT_SECONDS, readLog, readPage } from './log-feed.ts';
import type { Entry } from './log-lines.ts';
import type { Overview } from './types.ts';
import { entrySubject, entryWords } from './words.ts';

const SHOWN = 50;
/** How far behind the end of the log the newest entries are looked for; ticks are not all used by one log. */
const REACHES = [100n, 1_000n, 10_000n, 100_000n] as const;
/** So many are enough to stop looking further back. */
const ENOUGH = 25;
/** Between two pieces: nobody sees more, and a log that is written faster than that is not to fill the network. */
const PAUSE_MS = 50;
/** A feed that says nothing for so long has lost its server. */
const SILENT_MS = 4 * HEARTBEAT_SECONDS * 1000;
const GONE = 410;

/** A connection on which entries come. */
interface Feed {
  readonly abort: AbortController;
  /** Where the log ended when that was last seen. */
  seenEnd: bigint;
  heardMs: number;
}

/** The newest entries of a log, as they come. */
export class EntriesPanel {
  readonly #pause = byId('entries-pause', HTMLButtonElement);
  #entries: readonly Entry[] = [];
  /** Everything up to here was read; undefined where that must be found out. */
  #position: bigint | undefined;
  #feed: Feed | undefined;

  constructor() {
    this.#pause.addEventListener('click', () => {
      const isPaused = !this.#isPaused;
      this.#pause.setAttribute('aria-pressed', String(isPaused));
      setText(this.#pause, isPaused ? 'Go on' : 'Pause');
      if (isPaused) this.#close();
    });
    document.addEventListener('visibilitychange', () => {
      if (document.hidden) this.#close();
    });
  }

  /** Forgets what is shown: another database is looked at. */
  clear(): void {
    this.#close();
    this.#entries = [];
    this.#position = undefined;
    this.#show();
  }

  /**
   * Sees to it that entries come: called again and again with where the log is now. A feed that ended, and not because
   * somebody wanted that, is opened anew where it was. What is more than can be looked at is passed over.
   */
  async update(database: string, log: Overview['log']): Promise<void> {
    if (this.#isPaused || document.hidden) return;
    const end = BigInt(log.lastTick);
    if (this.#feed) {
      const { seenEnd, heardMs } = this.#feed;
      const isLate = this.#position === undefined || this.#position < seenEnd;
      this.#feed.seenEnd = end;
      if (!isLate && performance.now() - heardMs < SILENT_MS) return;
      this.#close();
    }
    const feed = { abort: new AbortController(), seenEnd: end, heardMs: performance.now() };
    const { signal } = feed.abort;
    this.#feed = feed;
    try {
      const [near] = REACHES;
      if (this.#position === undefined || end - this.#position > near) {
        const found = await newest(database, BigInt(log.firstTick), end, signal);
        if (signal.aborted) return;
        const completeFrom = BigInt(log.completeFrom);
        this.#position = end > completeFrom ? end : completeFrom;
        this.#entries = found;
        this.#show();
      }
    } catch (error) {
      if (signal.aborted) return;
      this.#close();
      throw error;
    }
    void this.#follow(database, this.#position, feed);
  }

  /** Takes what comes until the feed ends. Never rejects: what is wrong with the server shows elsewhere. */
  async #follow(database: string, from: bigint, feed: Feed): Promise<void> {
    const { signal } = feed.abort;
    try {
      for await (const entries of readLog(database, from, signal)) {
        if (signal.aborted) return;
        feed.heardMs = performance.now();
        this.#add(entries);
        await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
      }
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof Refused && error.status === GONE) this.#position = undefined;
    }
    if (this.#feed === feed) this.#close();
  }

  #add(entries: readonly Entry[]): void {
    const last = entries.at(-1);
    if (!last) return;
    this.#position = BigInt(last.line.tick);
    this.#entries = [...entries.toReversed(), ...this.#entries].slice(0, SHOWN);
    this.#show();
  }

  #close(): void {
    this.#feed?.abort.abort();
    this.#feed = undefined;
  }

  get #isPaused(): boolean {
    return this.#pause.getAttribute('aria-pressed') === 'true';
  }

  #show(): void {
    setText(byId('entries-note'), this.#entries.length === 0 ? 'none yet' : '');
    setList(byId('entries-rows'), this.#entries, {
      keyOf: ({ line }) => line.tick,
      create: entryRow,
      update: () => undefined,
    });
  }
}

function entryRow({ line, text }: Entry): HTMLElement {
  const subject = make('span', 'subject', entrySubject(line));
  subject.title = entrySubject(line);
  const summary = make(
    'summary',
    '',
    make('span', '', entryWords(line)),
    subject,
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

/** The newest entries up to `end`, the newest first. */
async function newest(
  database: string,
  first: bigint,
  end: bigint,
  signal: AbortSignal,
): Promise<Entry[]> {
  let found: Entry[] = [];
  for (const reach of REACHES) {
    const from = end > reach ? end - reach : 0n;
    found = await readPage(database, { from, to: end }, signal);
    if (found.length >= ENOUGH || from < first) break;
  }
  return found.slice(-SHOWN).reverse();
}
