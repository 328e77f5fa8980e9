import { type CliIo, ExitCode, note, printLines } from './io.ts';
import { counted } from './words.ts';

/** What of a collection has gone over the wire. */
export interface Transferred {
  readonly lines: number;
  /** Of the lines, before they are compressed. */
  readonly bytes: number;
  /** Requests it took. */
  readonly requests: number;
}

/** Between two lines about a collection that takes long. */
const REPORT_EVERY_MS = 10_000;
const NEWLINE = 0x0a;

/** Counts what a dump or a restore moves, and says so as it goes. */
export class Transfer {
  readonly #io: CliIo;
  readonly #isQuiet: boolean;
  readonly #startedMs = performance.now();
  #collections = 0;
  #failed = 0;
  #total: Transferred = { lines: 0, bytes: 0, requests: 0 };

  /** @param options.progress false: only what is asked for by name is printed */
  constructor(io: CliIo, { progress }: { progress: boolean }) {
    this.#io = io;
    this.#isQuiet = !progress;
  }

  get total(): Transferred {
    return this.#total;
  }

  get collections(): number {
    return this.#collections;
  }

  /** What the program is to end with. */
  get exitCode(): ExitCode {
    return this.#failed === 0 ? ExitCode.ok : ExitCode.failed;
  }

  /** Prints a line of progress. @throws OutputClosedError as `printLines` */
  async say(line: string): Promise<void> {
    if (!this.#isQuiet) await printLines(this.#io, [line]);
  }

  /** Begins a collection; `verb` is what is done to it, such as `dumping`. */
  async begin(verb: string, collection: string): Promise<CollectionTransfer> {
    await this.say(`${verb} '${collection}'`);
    return new CollectionTransfer((text) => this.say(`${verb} '${collection}': ${text}`));
  }

  /** Ends a collection that is complete. `done` is what was done to it, such as `dumped`. */
  async end(done: string, collection: string, transfer: CollectionTransfer): Promise<void> {
    const { lines, bytes, requests } = transfer.sum;
    this.#collections++;
    this.#total = {
      lines: this.#total.lines + lines,
      bytes: this.#total.bytes + bytes,
      requests: this.#total.requests + requests,
    };
    await this.say(`${done} '${collection}': ${transferredText(transfer.sum)}`);
  }

  /** Notes that a collection failed, which is not the end with `--force`. */
  fail(verb: string, collection: string, reason: string): void {
    this.#failed++;
    note(this.#io, `${verb} '${collection}' failed: ${reason}`);
  }

  /** The last line. */
  summary(what: string): string {
    const seconds = ((performance.now() - this.#startedMs) / 1000).toFixed(1);
    const failed = this.#failed === 0 ? '' : `, ${this.#failed} FAILED`;
    return (
      `${what} ${counted(this.#collections, 'collection')}${failed}: ` +
      `${transferredText(this.#total)} in ${seconds} s`
    );
  }
}

/** Counts for one collection, and reports now and then. */
export class CollectionTransfer {
  readonly #report: (text: string) => Promise<void>;
  #sum: Transferred = { lines: 0, bytes: 0, requests: 0 };
  #reportedMs = performance.now();

  constructor(report: (text: string) => Promise<void>) {
    this.#report = report;
  }

  get sum(): Transferred {
    return this.#sum;
  }

  /**
   * Adds a page or a piece; its last line need not end with a newline.
   * @param count of its lines, where that is known
   */
  async add(body: Buffer, count = countLines(body)): Promise<void> {
    const { lines, bytes, requests } = this.#sum;
    this.#sum = {
      lines: lines + count,
      bytes: bytes + body.length,
      requests: requests + 1,
    };
    const nowMs = performance.now();
    if (nowMs - this.#reportedMs < REPORT_EVERY_MS) return;
    this.#reportedMs = nowMs;
    await this.#report(transferredText(this.#sum));
  }

  /** Forgets what was counted: the collection is gone over again. */
  restart(): void {
    this.#sum = { lines: 0, bytes: 0, requests: 0 };
  }
}

function transferredText({ lines, bytes, requests }: Transferred): string {
  return `${counted(lines, 'line')}, ${counted(bytes, 'byte')}, ${counted(requests, 'request')}`;
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
