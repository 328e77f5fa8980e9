import { type IncomingHttpHeaders, type IncomingMessage, get } from 'node:http';
import { checkAnswer } from './api-check.ts';

/** An entry of a feed, parsed. */
export type FeedLine = Readonly<Record<string, unknown>>;

const FOLLOW = '/_api/replication/logger-follow';
const ACCEPT = { events: 'text/event-stream', ndjson: 'application/x-ndjson' } as const;

/** A client of a feed over a real connection; what it got is compared with api-spec/openapi.yaml at the end. */
export class FeedReader implements AsyncDisposable {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly #target: string;
  readonly #answer: IncomingMessage;
  readonly #closed: Promise<void>;
  #text = '';
  #isWhole = false;
  #wake: (() => void) | undefined;

  constructor(answer: IncomingMessage, target: string) {
    this.status = answer.statusCode ?? 0;
    this.headers = answer.headers;
    this.#target = target;
    this.#answer = answer;
    answer.setEncoding('utf8');
    answer.on('error', () => undefined);
    answer.on('end', () => {
      this.#isWhole = true;
    });
    this.#closed = new Promise((resolve) => {
      answer.once('close', () => {
        resolve();
        this.#wake?.();
      });
    });
  }

  /** Opens a feed and reads what comes; `query` without its question mark. */
  static async open(
    url: string,
    format: keyof typeof ACCEPT,
    query = '',
    headers: Readonly<Record<string, string>> = {},
  ): Promise<FeedReader> {
    const reader = await FeedReader.openSlow(url, format, query, headers);
    reader.go();
    return reader;
  }

  /** As `open`, but nothing is read before `go`. */
  static async openSlow(
    url: string,
    format: keyof typeof ACCEPT,
    query = '',
    headers: Readonly<Record<string, string>> = {},
  ): Promise<FeedReader> {
    const target = `${headers['x-path'] ?? FOLLOW}${query === '' ? '' : `?${query}`}`;
    const sent = { accept: ACCEPT[format], ...headers };
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      get(url + target, { headers: sent, agent: false }, resolve).on('error', reject);
    });
    return new FeedReader(answer, target);
  }

  go(): void {
    this.#answer.on('data', (chunk: string) => {
      this.#text += chunk;
      this.#wake?.();
    });
  }

  /** All that came so far. */
  get text(): string {
    return this.#text;
  }

  /** What came as entries, and as the reason of an end, each parsed. */
  get lines(): readonly FeedLine[] {
    const isEvents = String(this.headers['content-type']).startsWith(ACCEPT.events);
    const whole = this.#text.slice(0, this.#text.lastIndexOf('\n') + 1).split('\n');
    const texts = isEvents
      ? whole.filter((line) => line.startsWith('data: ')).map((line) => line.slice(6))
      : whole.filter((line) => line !== '');
    return texts.map((line) => JSON.parse(line) as FeedLine);
  }

  /** Resolves with the entries when there are so many. @throws Error when the feed ends before */
  async until(isEnough: (reader: FeedReader) => boolean): Promise<readonly FeedLine[]> {
    while (!isEnough(this)) {
      if (this.#answer.closed) throw new Error(`the feed ended behind: ${this.#text}`);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return this.lines;
  }

  /** As `until`, for a number of entries. */
  take(count: number): Promise<readonly FeedLine[]> {
    return this.until(({ lines }) => lines.length >= count);
  }

  /** Resolves when the connection is closed: with whether the answer came to its proper end. */
  async end(): Promise<boolean> {
    await this.#closed;
    return this.#isWhole;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#answer.destroy();
    await this.#closed;
    const isLines = String(this.headers['content-type']).startsWith(ACCEPT.ndjson);
    const whole = this.#isWhole
      ? this.#text
      : this.#text.slice(0, this.#text.lastIndexOf(isLines ? '\n' : '\n\n') + (isLines ? 1 : 2));
    // Empty lines, and errors, are no entries.
    const entries = whole.replace(/^(?:\{.*"error":true,"errorMessage".*)?\n/gm, '');
    const text = isLines ? entries : whole === '\n' ? '' : whole;
    checkAnswer('GET', this.#target, { status: this.status, headers: this.headers, text });
  }
}
