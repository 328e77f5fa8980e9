import { crc32 } from 'node:zlib';
import type { Answer, HttpClient } from './http-client.ts';

/** Pages are asked for in this size. */
export const DUMP_CHUNK_BYTES = 8 * 1024 * 1024;

/** Small collections are asked for so many at a time, in answers of this size. */
const TOGETHER = 64;
const TOGETHER_BYTES = 4 * 1024 * 1024;

const NEWLINE = 0x0a;
const REMOVAL = 2302;
/** Sums stay below this, so that adding a CRC32 to one is exact. */
const SUM_MODULUS = 2 ** 48;

/**
 * Reads a collection page by page over one connection, as a follower would, and keeps nothing.
 * @returns the number of lines and their bytes
 */
export async function streamDump(
  http: HttpClient,
  collection: string,
): Promise<{ lines: number; bytes: number }> {
  const counter = new LineCounter();
  let from = '0';
  for (;;) {
    const answer = await http.stream(dumpPath(collection, from), (piece) => counter.add(piece));
    const next = nextPosition(answer, from);
    if (next === undefined) return counter;
    from = next;
  }
}

/**
 * Reads many small collections, several in an answer and two answers at a time, as a follower would, and keeps nothing.
 * @param ids of the collections
 * @returns the number of lines
 */
export async function streamSmallDumps(
  http: HttpClient,
  ids: readonly string[],
): Promise<{ lines: number }> {
  const waiting = [...ids];
  const counter = { lines: 0 };
  const take = async (): Promise<void> => {
    for (;;) {
      const asked = waiting.splice(0, TOGETHER);
      const [first] = asked;
      if (first === undefined) return;
      const body = new TogetherCounter();
      await http.stream(togetherPath(asked), (piece) => body.add(piece));
      counter.lines += body.lines;
      const came = new Set(body.ids);
      const left = asked.filter((id) => !came.has(id));
      // One that has no room by itself is no small one.
      if (left.length === asked.length) counter.lines += (await streamDump(http, first)).lines;
      waiting.unshift(...(left.length === asked.length ? left.slice(1) : left));
    }
  };
  await Promise.all([take(), take()]);
  return counter;
}

/** Counts the lines of an answer with several collections, behind the line that lists them. */
class TogetherCounter {
  /** Of the collections that are in it. */
  ids: readonly string[] = [];
  readonly #counter = new LineCounter();
  #head: Buffer | undefined = Buffer.alloc(0);

  get lines(): number {
    return this.#counter.lines;
  }

  add(piece: Buffer): void {
    if (!this.#head) {
      this.#counter.add(piece);
      return;
    }
    this.#head = Buffer.concat([this.#head, piece]);
    const end = this.#head.indexOf(NEWLINE);
    if (end < 0) return;
    const list = JSON.parse(this.#head.toString('utf8', 0, end)) as { collection: string }[];
    this.ids = list.map(({ collection }) => collection);
    const rest = this.#head.subarray(end + 1);
    this.#head = undefined;
    this.#counter.add(rest);
  }
}

/** Counts lines and bytes of what comes in pieces. */
export class LineCounter {
  lines = 0;
  bytes = 0;

  add(piece: Buffer): void {
    this.bytes += piece.length;
    for (let at = piece.indexOf(NEWLINE); at >= 0; at = piece.indexOf(NEWLINE, at + 1)) {
      this.lines++;
    }
  }
}

/** A line of a dump. */
export interface DumpEntry {
  readonly type: number;
  readonly key: string;
  readonly rev: string;
  /** Not there for a removal. */
  readonly data?: Record<string, unknown>;
}

/** The lines of a collection, parsed, in the order of ticks; removals and old versions included. */
export async function* dumpEntries(
  http: HttpClient,
  collection: string,
): AsyncGenerator<DumpEntry, void, void> {
  let from: string | undefined = '0';
  while (from !== undefined) {
    const answer = await http.request('GET', dumpPath(collection, from));
    let start = 0;
    for (let end; (end = answer.body.indexOf(NEWLINE, start)) >= 0; start = end + 1) {
      yield JSON.parse(answer.body.toString('utf8', start, end)) as DumpEntry;
    }
    from = nextPosition(answer, from);
  }
}

/** Whether the entry says that the document is gone. */
export function isRemoval(entry: DumpEntry): boolean {
  return entry.type === REMOVAL;
}

/** Number of documents and a sum over all of them in which their order does not matter. */
export interface Digest {
  readonly count: number;
  readonly sum: number;
}

/** A set of document texts of which nothing but the digest is kept. */
export class DigestBuilder implements Digest {
  count = 0;
  sum = 0;

  add(text: string): void {
    this.addCrc(crc32(text));
  }

  /** Takes out a text that was added. */
  remove(text: string): void {
    this.removeCrc(crc32(text));
  }

  /** As `add`, for whoever knows the CRC32 of the text. */
  addCrc(crc: number): void {
    this.count++;
    this.sum = (this.sum + crc) % SUM_MODULUS;
  }

  /** As `remove`. */
  removeCrc(crc: number): void {
    this.count--;
    this.sum = (this.sum - crc + SUM_MODULUS) % SUM_MODULUS;
  }
}

/**
 * What a collection holds in the end: once over the documents as they were sent, and once with their
 * revisions, for comparing two servers.
 */
export async function collectionDigests(
  http: HttpClient,
  collection: string,
): Promise<{ content: Digest; withRevisions: Digest }> {
  // Of millions of documents the texts would not fit into memory.
  const live = new Map<string, { content: number; withRevision: number }>();
  const content = new DigestBuilder();
  const withRevisions = new DigestBuilder();
  for await (const entry of dumpEntries(http, collection)) {
    const before = live.get(entry.key);
    if (before) {
      content.removeCrc(before.content);
      withRevisions.removeCrc(before.withRevision);
      live.delete(entry.key);
    }
    if (isRemoval(entry)) continue;
    const text = contentText(entry);
    const now = { content: crc32(text), withRevision: crc32(entry.rev + text) };
    live.set(entry.key, now);
    content.addCrc(now.content);
    withRevisions.addCrc(now.withRevision);
  }
  return { content, withRevisions };
}

/** The document as it was sent: without what the server adds. */
export function contentOf(entry: DumpEntry): Record<string, unknown> {
  const attributes = Object.entries(entry.data ?? {});
  return Object.fromEntries(attributes.filter(([name]) => name !== '_rev' && name !== '_id'));
}

function contentText(entry: DumpEntry): string {
  return JSON.stringify(contentOf(entry));
}

function togetherPath(ids: readonly string[]): string {
  const query = `collections=${ids.join(',')}&chunkSize=${TOGETHER_BYTES}`;
  return `/_api/replication/dump-collections?${query}`;
}

function dumpPath(collection: string, from: string): string {
  const query = `collection=${collection}&from=${from}&chunkSize=${DUMP_CHUNK_BYTES}`;
  return `/_api/replication/dump?${query}`;
}

/**
 * Where the next page begins, undefined behind the last.
 * @throws Error when the answer is no page, or the position does not move
 */
function nextPosition(answer: Answer, from: string): string | undefined {
  if (answer.status !== 200 && answer.status !== 204) {
    throw new Error(
      `a dump was answered ${answer.status}: ${answer.body.toString('utf8', 0, 500)}`,
    );
  }
  if (answer.headers['x-arango-replication-checkmore'] !== 'true') return undefined;
  const next = answer.headers['x-arango-replication-lastincluded'];
  if (typeof next === 'string' && BigInt(next) > BigInt(from)) return next;
  throw new Error(`a dump does not get on after tick ${from}`);
}
