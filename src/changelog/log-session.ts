import type { Tick } from '../model/tick.ts';
import type { BlockWriter, Entry, LineData } from '../storage/block-writer.ts';
import type { WriteTx } from '../storage/write-tx.ts';

/** What a session reports when it ends. */
export interface LogAddition {
  readonly firstTick: Tick;
  readonly lastTick: Tick;
  readonly events: number;
  readonly bytes: number;
}

/** Appends the entries of one request to a changelog; `end` must be called once, at the end. */
export class LogSession {
  readonly #tx: WriteTx;
  readonly #number: number;
  readonly #finish: (addition: LogAddition) => void;
  #writer: BlockWriter | undefined;
  #firstTick: Tick = 0n;
  #lastTick: Tick = 0n;
  #events = 0;
  #bytes = 0;

  constructor(
    deps: { tx: WriteTx; finish: (addition: LogAddition) => void },
    options: { databaseNumber: number },
  ) {
    this.#tx = deps.tx;
    this.#finish = deps.finish;
    this.#number = options.databaseNumber;
  }

  /** Appends a line `{"tick":"<tick>",` + tail; the tail ends with a newline. */
  append(entry: Entry, tail: string): void {
    this.#count(entry.tick, this.writer().append(entry, tail));
  }

  /** Appends a line whose tail is `prefix`, a document, and the end of the object. */
  appendData(entry: Entry, prefix: string, data: LineData): void {
    const writer = this.writer();
    const before = writer.bytes;
    writer.appendData(entry, prefix, data);
    this.#count(entry.tick, writer.bytes - before);
  }

  /** Where lines go that are put together elsewhere; `added` must be called behind them. */
  writer(): BlockWriter {
    return (this.#writer ??= this.#tx.changelog(this.#number));
  }

  /** Notes entries that were appended to `writer`. */
  added({ firstTick, lastTick, events, bytes }: LogAddition): void {
    if (this.#events === 0) this.#firstTick = firstTick;
    this.#lastTick = lastTick;
    this.#events += events;
    this.#bytes += bytes;
  }

  /** Writes the new state of the log; nothing when no entry was appended. */
  end(): void {
    if (this.#events === 0) return;
    this.#finish({
      firstTick: this.#firstTick,
      lastTick: this.#lastTick,
      events: this.#events,
      bytes: this.#bytes,
    });
  }

  #count(tick: Tick, bytes: number): void {
    if (this.#events === 0) this.#firstTick = tick;
    this.#lastTick = tick;
    this.#events++;
    this.#bytes += bytes;
  }
}
