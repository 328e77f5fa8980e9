import { counted } from '../base/words.ts';
import { ServiceError, isServiceError } from '../model/errors.ts';
import type { Tick } from '../model/tick.ts';
import { parseJson, splitArray } from '../protocol/json-text.ts';
import type { LeaderClient } from './leader-client.ts';
import type { HttpAnswer } from './leader-http.ts';
import type { ReplicationFigures } from './replication-figures.ts';

/** A stretch of a list of keys. */
export interface LeaderKeyChunk {
  readonly low: string;
  readonly high: string;
  /** Over keys and revisions, see `ChunkHash`. */
  readonly hash: string;
}

export interface KeyListRequest {
  /** Id of the collection. */
  readonly collection: string;
  /** As of which tick the list is wanted; ticklog leaders list what is there when they are asked. */
  readonly to?: Tick;
  /** For leaders that want to know the batch. */
  readonly batchId?: string | undefined;
}

/** What a list is asked for; as the figures call it. */
type Asked = 'chunks' | 'keys' | 'docs';

interface KeyListDeps {
  readonly client: LeaderClient;
  /** Gets what all lists cost. */
  readonly figures: ReplicationFigures['keys'];
}

/** A list that nobody uses ends after 300 seconds. */
const TOUCH_AFTER_MS = 60_000;

/**
 * A list of the keys of a collection on a leader, with their revisions, as of one moment (contract 3.5). Methods reject
 * as those of `LeaderClient`.
 */
export class LeaderKeyList {
  readonly id: string;
  readonly count: number;
  readonly #client: LeaderClient;
  readonly #figures: KeyListDeps['figures'];
  readonly #chunkSize: number;
  #usedAtMs = performance.now();

  private constructor(
    deps: KeyListDeps,
    options: { readonly id: string; readonly count: number; readonly chunkSize: number },
  ) {
    this.#client = deps.client;
    this.#figures = deps.figures;
    this.id = options.id;
    this.count = options.count;
    this.#chunkSize = options.chunkSize;
  }

  /** @param chunkSizeOf how many keys a chunk of a list of so many is to have, at least 100 */
  static async open(
    deps: KeyListDeps,
    { collection, to, batchId }: KeyListRequest,
    chunkSizeOf: (count: number) => number,
    signal: AbortSignal,
  ): Promise<LeaderKeyList> {
    const { client } = deps;
    const answer = await client.keyList('POST', { query: { collection, to, batchId } }, signal);
    const value = jsonOf(client, answer);
    const { id, count } = (value ?? {}) as { readonly id?: unknown; readonly count?: unknown };
    if (typeof id !== 'string' || typeof count !== 'number' || !(count >= 0)) {
      throw invalid(client, 'a list of keys has no id or no count');
    }
    return new LeaderKeyList(deps, { id, count, chunkSize: chunkSizeOf(count) });
  }

  /** All chunks, in the byte order of keys. */
  async chunks(signal: AbortSignal): Promise<readonly LeaderKeyChunk[]> {
    const { id } = this;
    const query = { chunkSize: this.#chunkSize };
    const asked = this.#counted('chunks', this.#client.keyList('GET', { id, query }, signal));
    const list = this.#list(await asked);
    return list.map((each) => {
      const { low, high, hash } = (each ?? {}) as Partial<Record<keyof LeaderKeyChunk, unknown>>;
      if (typeof low === 'string' && typeof high === 'string' && typeof hash === 'string') {
        return { low, high, hash };
      }
      throw invalid(this.#client, 'a chunk of keys lacks its bounds or its hash');
    });
  }

  /** Keys and revisions of a chunk, in the byte order of keys. */
  async keys(
    chunk: number,
    signal: AbortSignal,
  ): Promise<readonly (readonly [key: string, rev: string])[]> {
    const list = this.#list(await this.#put('keys', chunk, undefined, signal));
    return list.map((each) => {
      const [key, rev] = Array.isArray(each) ? (each as unknown[]) : [];
      if (typeof key === 'string' && typeof rev === 'string') return [key, rev] as const;
      throw invalid(this.#client, 'a pair of key and revision is none');
    });
  }

  /** Source texts of documents of a chunk, by their positions in it. */
  async documents(
    chunk: number,
    positions: readonly number[],
    signal: AbortSignal,
  ): Promise<readonly string[]> {
    const answer = await this.#put('docs', chunk, positions, signal);
    const text = answer.body.toString('utf8');
    const list = this.#list(answer);
    if (list.length !== positions.length) {
      throw invalid(
        this.#client,
        `asked for ${counted(positions.length, 'document')}, it sent ${list.length}`,
      );
    }
    return (splitArray(text) ?? []).map(({ start, end }) => text.slice(start, end));
  }

  /** Lets the leader know that the list is still in use, if it has not been told for long. */
  async touch(signal: AbortSignal): Promise<void> {
    if (this.count === 0 || performance.now() - this.#usedAtMs < TOUCH_AFTER_MS) return;
    await this.#put('docs', 0, [], signal);
  }

  /** Lets the leader forget the list. */
  async close(signal: AbortSignal): Promise<void> {
    await this.#client.keyList('DELETE', { id: this.id, query: {} }, signal);
  }

  #put(
    type: Exclude<Asked, 'chunks'>,
    chunk: number,
    body: readonly number[] | undefined,
    signal: AbortSignal,
  ): Promise<HttpAnswer> {
    const { id } = this;
    this.#usedAtMs = performance.now();
    const query = { type, chunk, chunkSize: this.#chunkSize };
    const text = body === undefined ? '' : JSON.stringify(body);
    return this.#counted(type, this.#client.keyList('PUT', { id, query, body: text }, signal));
  }

  async #counted(what: Asked, answer: Promise<HttpAnswer>): Promise<HttpAnswer> {
    const figures = this.#figures[what];
    figures.requests++;
    const beganMs = performance.now();
    try {
      const { body } = await answer;
      this.#figures.bytes += body.length;
    } finally {
      figures.requestMs += performance.now() - beganMs;
    }
    return answer;
  }

  #list(answer: HttpAnswer): readonly unknown[] {
    const value = jsonOf(this.#client, answer);
    if (Array.isArray(value)) return value as unknown[];
    throw invalid(this.#client, 'what should be a list of keys or documents is none');
  }
}

function jsonOf(client: LeaderClient, { body }: HttpAnswer): unknown {
  try {
    return parseJson(body.toString('utf8'));
  } catch (cause) {
    if (!isServiceError(cause)) throw cause;
    throw invalid(client, 'the body is no JSON');
  }
}

function invalid({ endpoint }: LeaderClient, reason: string): ServiceError {
  return new ServiceError(
    'invalidResponse',
    `got invalid response from master at ${endpoint}: ${reason}`,
  );
}
