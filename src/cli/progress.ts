import { createRequire } from 'node:module';
import type * as CliProgress from 'cli-progress';
import type { MultiBar, SingleBar } from 'cli-progress';
import { type CliIo, note } from './io.ts';
import { drawnRow, EMPTY_ROW, type Row, rowsOf } from './progress-rows.ts';
import { progressLine } from './progress-text.ts';

/** How much of a collection is done. */
export interface CollectionProgress {
  readonly name: string;
  readonly documentsDone: number;
  /** Undefined where nobody can tell, as all that is expected. */
  readonly documentsExpected?: number | undefined;
  readonly bytesDone: number;
  readonly bytesExpected?: number | undefined;
  /** What is made of it, such as `indexes`, when all its documents are there: those that are in these count then. */
  readonly indexing?: string | undefined;
  /** Told only while it is indexed. */
  readonly documentsPerSecond?: number | undefined;
  readonly secondsLeft?: number | undefined;
}

/** What an earlier attempt has left that this one goes on with. */
export interface ResumedFrom {
  readonly collections: number;
  readonly documents: number;
  readonly bytes: number;
}

/** How much of something long is done. */
export interface ProgressFigures extends Omit<CollectionProgress, 'name' | 'indexing'> {
  /** What is being done, such as `dumping`. */
  readonly phase: string;
  readonly collectionsDone: number;
  readonly collectionsExpected?: number | undefined;
  readonly bytesPerSecond?: number | undefined;
  /** What an earlier attempt had done; part of what is done. */
  readonly resumedFrom?: ResumedFrom | undefined;
  readonly inWork: readonly CollectionProgress[];
}

/** Where nobody looks at a terminal there is a line as often. */
const LINE_EVERY_MS = 5000;
const DRAW_EVERY_MS = 200;
/** Of a terminal that does not say how wide it is. */
const COLUMNS = 80;
const STEPS = 1000;
/** Of a line of the screen, where a bar was before. */
const ERASE_REST = '\x1b[K';

/**
 * Shows how far something long has come: bars on a terminal, one for all and one for each collection in work;
 * elsewhere a line now and then. Both on the error stream, so that the output stays what it is.
 */
export class ProgressDisplay implements Disposable {
  readonly #io: CliIo;
  readonly #read: () => ProgressFigures | string | undefined;
  readonly #timer: NodeJS.Timeout;
  readonly #bars: MultiBar | undefined;
  readonly #byRow: SingleBar[] = [];
  #isOver = false;

  /** @param read asked for again and again: figures, or words where there are none, or nothing to show */
  private constructor(io: CliIo, read: () => ProgressFigures | string | undefined) {
    this.#io = io;
    this.#read = read;
    if (io.isErrTty) this.#bars = newBars(io);
    this.#timer = setInterval(() => this.#show(), this.#bars ? DRAW_EVERY_MS : LINE_EVERY_MS);
    this.#timer.unref();
  }

  /** Undefined with `isWanted` false: then nothing is shown. */
  static start(
    io: CliIo,
    isWanted: boolean,
    read: () => ProgressFigures | string | undefined,
  ): ProgressDisplay | undefined {
    return isWanted ? new ProgressDisplay(io, read) : undefined;
  }

  /** Whether there are bars, between which nobody else must write. */
  get isDrawn(): boolean {
    return this.#bars !== undefined && !this.#isOver;
  }

  /** Says something above the bars. */
  say(line: string): void {
    if (!this.#bars || this.#isOver || this.#byRow.length === 0) this.#io.stderr.write(`${line}\n`);
    else this.#bars.log(`${line}${ERASE_REST}\n`);
  }

  /** Notes something: above the bars, where there are any. */
  note(line: string): void {
    if (this.isDrawn) this.say(line);
    else note(this.#io, line);
  }

  /** Ends it, and leaves nothing of the bars on the screen. */
  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    if (!this.#bars || this.#isOver) return;
    this.#isOver = true;
    // What was to be said above the bars is said.
    if (this.#byRow.length > 0) this.#bars.update();
    this.#bars.stop();
  }

  #show(): void {
    const figures = this.#read();
    if (figures === undefined) return;
    if (!this.#bars) {
      note(this.#io, typeof figures === 'string' ? figures : progressLine(figures));
      return;
    }
    const rows =
      typeof figures === 'string'
        ? [{ ...EMPTY_ROW, text: figures }]
        : rowsOf(figures, columnsOf(this.#io));
    for (const [i, { fraction, ...payload }] of rows.entries()) {
      const bar = (this.#byRow[i] ??= this.#bars.create(STEPS, 0, payload));
      bar.update(Math.floor((fraction ?? 0) * STEPS), payload);
    }
    // Rows that are not needed now stay, empty: the screen is not to jump.
    for (const bar of this.#byRow.slice(rows.length)) bar.update(0, EMPTY_ROW);
  }
}

function newBars(io: CliIo): MultiBar {
  // Loaded for terminals only: a command starts sooner without it.
  const bars = createRequire(import.meta.url)('cli-progress') as typeof CliProgress;
  return new bars.MultiBar({
    stream: io.stderr,
    format: (_options, { progress }, row: Row) => drawnRow(row, progress, columnsOf(io)),
    clearOnComplete: true,
    hideCursor: true,
    // Signals are main.ts's.
    gracefulExit: false,
    fps: 1000 / DRAW_EVERY_MS,
  });
}

/** Of the terminal under the error stream, which need not be the one under the output. */
function columnsOf({ stderr }: CliIo): number {
  return ('columns' in stderr && Number(stderr.columns)) || COLUMNS;
}
