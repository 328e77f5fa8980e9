import { secondsLeft } from '../base/pace.ts';
import { Speed } from '../base/speed.ts';
import { type CliIo, ExitCode, note, printLines } from './io.ts';
import { isIndexing } from './progress-text.ts';
import { type CollectionProgress, ProgressDisplay, type ProgressFigures } from './progress.ts';
import { exactCounted } from './units.ts';

/** What of a collection has gone over the wire. */
export interface Transferred {
  readonly lines: number;
  /** Of the lines, before they are compressed. */
  readonly bytes: number;
  /** Requests it took. */
  readonly requests: number;
}

/** A collection that is to be moved, and how much of it there is, where that is known. */
export interface ExpectedCollection {
  readonly name: string;
  readonly documents?: number | undefined;
  readonly bytes?: number | undefined;
}

const NEWLINE = 0x0a;
const NOTHING: Transferred = { lines: 0, bytes: 0, requests: 0 };

/** Counts what a dump or a restore moves, and shows so as it goes. */
export class Transfer implements Disposable {
  readonly #io: CliIo;
  readonly #isQuiet: boolean;
  readonly #verb: string;
  readonly #startedMs = performance.now();
  readonly #display: ProgressDisplay | undefined;
  readonly #documentsSpeed = new Speed();
  readonly #bytesSpeed = new Speed();
  #expected: ReadonlyMap<string, ExpectedCollection> = new Map();
  readonly #begun = new Map<string, CollectionTransfer>();
  readonly #done: { readonly name: string; readonly sum: Transferred }[] = [];
  /** Of an interrupted run that this one goes on with: what was complete. */
  readonly #kept = new Set<string>();
  readonly #failed: string[] = [];

  /**
   * @param options.verb what is done to collections, such as `dumping`
   * @param options.progress false: only what is asked for by name is printed
   */
  constructor(io: CliIo, { verb, progress }: { verb: string; progress: boolean }) {
    this.#io = io;
    this.#verb = verb;
    this.#isQuiet = !progress;
    this.#display = ProgressDisplay.start(io, progress, () => this.#figures());
  }

  get collections(): number {
    return this.#done.length;
  }

  /** What the program is to end with. */
  get exitCode(): ExitCode {
    return this.#failed.length === 0 ? ExitCode.ok : ExitCode.failed;
  }

  /** Takes all that is to be moved. */
  expect(collections: readonly ExpectedCollection[]): void {
    this.#expected = new Map(collections.map((each) => [each.name, each]));
    // So that the first line has a rate: from here on.
    this.#figures();
  }

  /** Prints a line of progress. */
  async say(line: string): Promise<void> {
    if (this.#isQuiet) return;
    if (this.#display?.isDrawn === true && this.#io.isTty) this.#display.say(line);
    else await printLines(this.#io, [line]);
  }

  /** Begins a collection. */
  async begin(collection: string): Promise<CollectionTransfer> {
    // Where there are bars, it gets one.
    if (this.#display?.isDrawn !== true) await this.say(`${this.#verb} '${collection}'`);
    const transfer = new CollectionTransfer();
    this.#begun.set(collection, transfer);
    return transfer;
  }

  /** Ends a collection that is complete. `done` is what was done to it, such as `dumped`. */
  async end(done: string, collection: string, { sum }: CollectionTransfer): Promise<void> {
    this.#done.push({ name: collection, sum });
    await this.say(`${done} '${collection}': ${transferredText(sum)}`);
  }

  /** Takes a collection that an interrupted run has completed; nothing of it is moved. */
  async keep(collection: string, sum: Transferred): Promise<void> {
    const transfer = new CollectionTransfer();
    transfer.resume(sum);
    this.#begun.set(collection, transfer);
    this.#kept.add(collection);
    this.#done.push({ name: collection, sum });
    await this.say(`'${collection}' was complete before: ${amountText(sum)}`);
  }

  /** Notes that a collection failed, which is not the end with `--force`. */
  fail(collection: string, reason: string): void {
    this.#failed.push(collection);
    const text = `${this.#verb} '${collection}' failed: ${reason}`;
    if (this.#display?.isDrawn === true) this.#display.say(`ticklog: ${text}`);
    else note(this.#io, text);
  }

  /** The last line. */
  summary(what: string): string {
    const failed = this.#failed.length === 0 ? '' : `, ${this.#failed.length} FAILED`;
    const resumed = this.#resumed;
    const whole =
      this.#kept.size === 0 ? '' : `${exactCounted(this.#kept.size, 'complete collection')}, `;
    const before =
      whole === '' && resumed.lines === 0
        ? ''
        : `; of that from before: ${whole}${amountText(resumed)}`;
    return (
      `${what} ${exactCounted(this.collections, 'collection')}${failed}: ` +
      `${transferredText(sumOf(this.#done))} in ${this.#seconds.toFixed(1)} s${before}`
    );
  }

  /** The same for programs. */
  result(): object {
    const resumed = this.#resumed;
    return {
      collections: this.#done.map(({ name, sum }) => ({ name, ...sum })),
      failed: this.#failed,
      ...sumOf(this.#done),
      resumed: { collections: this.#kept.size, lines: resumed.lines, bytes: resumed.bytes },
      seconds: this.#seconds,
    };
  }

  /** Takes what it shows from the screen. */
  [Symbol.dispose](): void {
    this.#display?.[Symbol.dispose]();
  }

  get #seconds(): number {
    return (performance.now() - this.#startedMs) / 1000;
  }

  /** What an interrupted run has moved. */
  get #resumed(): Transferred {
    return sumOf([...this.#begun.values()].map(({ resumed: sum }) => ({ sum })));
  }

  #figures(): ProgressFigures | undefined {
    const expected = [...this.#expected.values()];
    if (expected.length === 0) return undefined;
    const over = new Set([...this.#done.map(({ name }) => name), ...this.#failed]);
    const each = expected.map((collection) => this.#progressOf(collection, over));
    const documentsDone = totalKnown(each, ({ documentsDone: done }) => done) ?? 0;
    const bytesDone = totalKnown(each, ({ bytesDone: done }) => done) ?? 0;
    const bytesExpected = totalKnown(each, ({ bytesExpected: all }) => all);
    // What an interrupted run has moved was not moved now.
    const before = each.map(({ name, ...done }) => this.#beforeOf(name, done));
    const documentsPerSecond = this.#documentsSpeed.at(
      documentsDone - (totalKnown(before, ({ documents }) => documents) ?? 0),
    );
    const bytesPerSecond = this.#bytesSpeed.at(
      bytesDone - (totalKnown(before, ({ bytes }) => bytes) ?? 0),
    );
    const inWork = each
      .filter(({ name }) => this.#begun.has(name) && !over.has(name))
      .map((shown) => this.#begun.get(shown.name)?.indexing ?? shown);
    const left = timeLeft(bytesExpected, bytesDone, bytesPerSecond);
    return {
      phase: isIndexing(inWork) ? 'indexing' : this.#verb,
      collectionsDone: over.size,
      collectionsExpected: expected.length,
      documentsDone,
      documentsExpected: totalKnown(each, ({ documentsExpected: all }) => all),
      bytesDone,
      bytesExpected,
      documentsPerSecond,
      bytesPerSecond,
      // Nobody knows how long the indexes of others take.
      secondsLeft: !isIndexing(inWork)
        ? left
        : inWork.length + over.size === expected.length
          ? longest(inWork)
          : undefined,
      inWork,
    };
  }

  /** What of the progress of a collection an interrupted run has made. */
  #beforeOf(
    name: string,
    { documentsDone, bytesDone }: Pick<CollectionProgress, 'documentsDone' | 'bytesDone'>,
  ): { documents: number; bytes: number } {
    if (this.#kept.has(name)) return { documents: documentsDone, bytes: bytesDone };
    const transfer = this.#begun.get(name);
    const { resumed = NOTHING, isOfFiles = false } = transfer ?? {};
    // Files are read from their beginning again.
    return {
      documents: Math.min(resumed.lines, documentsDone),
      bytes: isOfFiles ? 0 : Math.min(resumed.bytes, bytesDone),
    };
  }

  #progressOf(
    { name, documents, bytes }: ExpectedCollection,
    over: Set<string>,
  ): CollectionProgress {
    const transfer = this.#begun.get(name);
    const isOver = over.has(name);
    const lines = transfer?.sum.lines ?? 0;
    const moved = transfer?.shownBytes ?? 0;
    // What is expected may be a little off; nothing is ever more than done.
    return {
      name,
      documentsDone:
        documents === undefined ? lines : isOver ? documents : Math.min(lines, documents),
      documentsExpected: documents,
      bytesDone: bytes === undefined ? moved : isOver ? bytes : Math.min(moved, bytes),
      bytesExpected: bytes,
    };
  }
}

/** Counts for one collection. */
export class CollectionTransfer {
  #sum = NOTHING;
  #readBytes: number | undefined;
  #resumed = NOTHING;
  /** How far its indexes are, while these are made and the server tells. */
  indexing: CollectionProgress | undefined;

  get sum(): Transferred {
    return this.#sum;
  }

  /** Bytes against which it is measured how much is done. */
  get shownBytes(): number {
    return this.#readBytes ?? this.#sum.bytes;
  }

  /** Whether it is measured by files that are read. */
  get isOfFiles(): boolean {
    return this.#readBytes !== undefined;
  }

  /** Adds a page or a piece; its last line need not end with a newline. */
  add(body: Buffer): void {
    this.addRequest({ lines: countLines(body), bytes: body.length });
  }

  /** Adds what one request moved. */
  addRequest(moved: Pick<Transferred, 'lines' | 'bytes'>): void {
    const { lines, bytes, requests } = this.#sum;
    this.#sum = {
      lines: lines + moved.lines,
      bytes: bytes + moved.bytes,
      requests: requests + 1,
    };
  }

  /** Notes how much of the files was read, where these are what is measured. */
  read(bytes: number): void {
    this.#readBytes = bytes;
  }

  /** Goes on with what an interrupted run has counted. */
  resume(sum: Transferred): void {
    this.#sum = sum;
    this.#resumed = sum;
  }

  /** What of it is of the interrupted run. */
  get resumed(): Transferred {
    return this.#resumed;
  }

  /** Forgets what was counted: the collection is gone over again. */
  restart(): void {
    this.#sum = NOTHING;
    this.#resumed = NOTHING;
  }
}

/** All of some together. */
export function sumOf(done: readonly { readonly sum: Transferred }[]): Transferred {
  return done.reduce(
    (all, { sum }) => ({
      lines: all.lines + sum.lines,
      bytes: all.bytes + sum.bytes,
      requests: all.requests + sum.requests,
    }),
    NOTHING,
  );
}

/** How long the one takes that takes longest; undefined where one of them does not tell. */
function longest(inWork: readonly CollectionProgress[]): number | undefined {
  const each = inWork.map(({ secondsLeft: left }) => left);
  return each.reduce((most, left) =>
    most === undefined || left === undefined ? undefined : Math.max(most, left),
  );
}

/** How many seconds the rest takes; undefined where that cannot be known. */
export function timeLeft(
  expected: number | undefined,
  done: number,
  perSecond: number | undefined,
): number | undefined {
  if (expected === undefined || perSecond === undefined) return undefined;
  return secondsLeft(expected - done, perSecond) ?? undefined;
}

/** Undefined when one of them is not known. */
export function totalKnown<T>(
  values: readonly T[],
  pick: (value: T) => number | undefined,
): number | undefined {
  let sum = 0;
  for (const value of values) {
    const picked = pick(value);
    if (picked === undefined) return undefined;
    sum += picked;
  }
  return sum;
}

function transferredText(sum: Transferred): string {
  return `${amountText(sum)}, ${exactCounted(sum.requests, 'request')}`;
}

/** `5 lines, 120 bytes`. */
export function amountText({ lines, bytes }: Transferred): string {
  return `${exactCounted(lines, 'line')}, ${exactCounted(bytes, 'byte')}`;
}

/** Lines that are not empty at the end: `a\nb` and `a\nb\n` are two. */
export function countLines(body: Buffer): number {
  let lines = 0;
  let at = body.indexOf(NEWLINE);
  while (at >= 0) {
    lines++;
    at = body.indexOf(NEWLINE, at + 1);
  }
  return body.length > 0 && body.at(-1) !== NEWLINE ? lines + 1 : lines;
}
