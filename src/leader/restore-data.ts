import type { Collection } from '../documents/collection.ts';
import type { Database } from '../documents/database.ts';
import { Unfinished } from '../documents/unfinished.ts';
import { ServiceError } from '../model/errors.ts';
import type { Store } from '../storage/store.ts';
import type { RestoreRules } from './restore-line.ts';
import { RestoreLines } from './restore-lines.ts';
import { writeRestore } from './restore-writer.ts';

export interface RestoreDataSettings extends RestoreRules {
  /** How long the body says it is, in bytes. */
  readonly announcedBytes?: number | undefined;
  /** Write it in parts, however short it is. */
  readonly inParts: boolean;
}

/** A larger body is not written at once: that would take some 15 times its size in memory. */
const WHOLE_MAX_BYTES = 16 * 1024 * 1024;
/** Size of the parts in which a larger one is written, in bytes of the body. */
const GROUP_BYTES = 2 * 1024 * 1024;
/** Parts that are on their way to the store while the next one is checked: one is written, one is put together. */
const PARTS_UNDER_WAY = 2;
/** What a line counts towards the size of a transaction besides its own length: what its log line has more. */
const LINE_EXTRA_BYTES = 150;
const NEWLINE = Buffer.from('\n');

/**
 * Writes the lines of a dump into a collection (contract 4.3). They are checked while the body comes in. Up to
 * 16 MiB, twice of what arangorestore sends, and the limit of a transaction all are written at once when the body
 * is over: one bad line, and nothing is stored. A larger body, and one that is to be, is written in parts (design,
 * rule 6), and what was written stays if a later part fails. Sending the same body again is always possible.
 */
export class DataRestore {
  readonly #store: Store;
  readonly #transactionMaxBytes: number;

  constructor(deps: { store: Store }, options: { transactionMaxBytes: number }) {
    this.#store = deps.store;
    this.#transactionMaxBytes = options.transactionMaxBytes;
  }

  /** What a restore holds in memory at most, in bytes of its body; a longer line apart. */
  get wholeMaxBytes(): number {
    return Math.min(this.#transactionMaxBytes, WHOLE_MAX_BYTES);
  }

  /**
   * Resolves when everything is stored; `waitForSync` of the collection does not count here.
   *
   * @param body pieces of the body, read no faster than they are worked on
   * @throws ServiceError as `parseRestoreLine` and `writeRestore`; documentTooLarge. When some of the lines are
   *   stored the message says which.
   */
  async run(
    database: Database,
    collection: Collection,
    body: AsyncIterable<Buffer>,
    settings: RestoreDataSettings,
    signal?: AbortSignal,
  ): Promise<void> {
    collection.assertAlive();
    database.assertWritable(collection.name);
    const run = new RestoreRun(
      { store: this.#store, database, collection },
      {
        settings,
        wholeMaxBytes: this.wholeMaxBytes,
        transactionMaxBytes: this.#transactionMaxBytes,
      },
    );
    try {
      for await (const chunk of body) {
        signal?.throwIfAborted();
        await run.add(chunk);
      }
      await run.finish();
    } catch (error) {
      await run.settled();
      throw error instanceof ServiceError ? run.explain(error) : error;
    }
  }
}

/** One restore on its way. */
class RestoreRun {
  readonly #store: Store;
  readonly #database: Database;
  readonly #collection: Collection;
  readonly #rules: RestoreRules;
  readonly #wholeMaxBytes: number;
  readonly #transactionMaxBytes: number;
  readonly #unfinished: Unfinished;
  /** Checked lines that nobody writes yet, their length, and what they count. */
  #pieces: RestoreLines[] = [];
  #bytes = 0;
  #transactionBytes = 0;
  /** Lines of the body that have been checked. */
  #lines = 0;
  /** Lines of the body up to the end of the last part that is stored. */
  #storedLines = 0;
  /** Set once it is known that the body is not written at once. */
  #inParts: boolean;
  /** Parts under way, in their order. */
  readonly #writing: Promise<void>[] = [];
  /** Whether a part was refused; those behind it are not stored. */
  #isRefused = false;

  constructor(
    deps: { store: Store; database: Database; collection: Collection },
    options: {
      settings: RestoreDataSettings;
      wholeMaxBytes: number;
      transactionMaxBytes: number;
    },
  ) {
    const { settings, wholeMaxBytes, transactionMaxBytes } = options;
    this.#store = deps.store;
    this.#database = deps.database;
    this.#collection = deps.collection;
    this.#rules = settings;
    this.#wholeMaxBytes = wholeMaxBytes;
    this.#transactionMaxBytes = transactionMaxBytes;
    this.#unfinished = new Unfinished({ maxBytes: transactionMaxBytes });
    this.#inParts = settings.inParts || (settings.announcedBytes ?? 0) > wholeMaxBytes;
  }

  async add(chunk: Buffer): Promise<void> {
    const first = chunk.indexOf(NEWLINE);
    if (first < 0) {
      this.#unfinished.add(chunk);
      return;
    }
    let start = 0;
    if (this.#unfinished.bytes > 0) {
      start = first + 1;
      this.#check(this.#unfinished.take(chunk.subarray(0, start)));
    }
    const end = chunk.lastIndexOf(NEWLINE) + 1;
    if (end > start) this.#check(chunk.subarray(start, end));
    this.#unfinished.add(chunk.subarray(end));
    if (this.#bytes > this.#wholeMaxBytes) this.#inParts = true;
    if (this.#transactionBytes > this.#transactionMaxBytes) this.#inParts = true;
    if (this.#inParts && this.#bytes >= GROUP_BYTES) await this.#flush();
  }

  /** The last line may come without its newline. */
  async finish(): Promise<void> {
    if (this.#unfinished.bytes > 0) this.#check(this.#unfinished.take(NEWLINE));
    await this.#flush();
    await Promise.all(this.#writing);
  }

  /** Resolves when nothing is being written any more, whether that went well or not. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#writing);
  }

  /** The error of a restore, with what is stored nevertheless. */
  explain(error: ServiceError): ServiceError {
    if (this.#storedLines === 0) return error;
    const message = `${error.message}; lines 1 to ${this.#storedLines} are stored, the others are not`;
    const { kind, httpStatus, fields } = error;
    return new ServiceError(kind, message, { cause: error, httpStatus, fields });
  }

  #check(bytes: Buffer): void {
    const options = { rules: this.#rules, before: this.#lines };
    const lines = new RestoreLines(bytes, this.#collection, options);
    this.#lines = lines.through;
    if (lines.count === 0) return;
    this.#pieces.push(lines);
    this.#bytes += lines.byteLength;
    this.#transactionBytes += lines.byteLength + lines.count * LINE_EXTRA_BYTES;
  }

  /** Hands over everything, in parts if need be; returns when no more than the last ones are under way. */
  async #flush(): Promise<void> {
    const pieces = this.#pieces;
    this.#pieces = [];
    this.#bytes = this.#transactionBytes = 0;
    while (pieces.length > 0) {
      let count = 0;
      for (let bytes = 0; count < pieces.length && (!this.#inParts || bytes < GROUP_BYTES);) {
        bytes += pieces[count++]?.byteLength ?? 0;
      }
      if (this.#writing.length === PARTS_UNDER_WAY) await this.#writing.shift();
      this.#startWriting(pieces.splice(0, count));
    }
  }

  #startWriting(part: RestoreLines[]): void {
    const through = part.at(-1)?.through ?? 0;
    const writing = this.#store
      .commit((tx) => {
        if (this.#isRefused) throw new Error('a part before this one was refused');
        this.#isRefused = true;
        writeRestore(tx, this.#database, this.#collection, part);
        this.#isRefused = false;
      })
      .then(() => {
        this.#storedLines = through;
      });
    // Whoever waits for it next sees the error; until then it is nobody's.
    writing.catch(() => undefined);
    this.#writing.push(writing);
  }
}
