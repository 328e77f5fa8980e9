import { ServiceError } from '../model/errors.ts';
import { splitArray } from '../protocol/json-text.ts';
import type { SpreadRange } from '../protocol/key-spread.ts';
import { numberAt, textAt } from './json.ts';
import { shareOfWork } from './on-both.ts';
import type { ServerClient } from './server-client.ts';

/** What a part of a collection is: how many documents, and a sum over all that is in them. */
export interface PartSum {
  readonly count: number;
  readonly sum: number;
}

/** What a document is. */
export interface DocumentState {
  readonly rev: string;
  /** Equal where key, revision and contents are. */
  readonly digest: number;
}

/**
 * A collection of a ticklog server as of one moment, looked at from afar (contract 3.5 with the additions of
 * ticklog). Methods reject as `ServerClient`.
 */
export class KeyStates {
  readonly count: number;
  readonly #api: ServerClient;
  readonly #id: string;
  readonly #collection: string;

  private constructor(
    deps: { api: ServerClient },
    options: { readonly id: string; readonly count: number; readonly collection: string },
  ) {
    this.#api = deps.api;
    this.#id = options.id;
    this.#collection = options.collection;
    this.count = options.count;
  }

  static async open(
    api: ServerClient,
    collection: string,
    signal: AbortSignal,
  ): Promise<KeyStates> {
    const answer = await api.replication('POST', 'keys', signal, { query: { collection } });
    const id = textAt(answer, 'id');
    const count = numberAt(answer, 'count');
    if (id === undefined || count === undefined) throw invalid('a list of keys has no id');
    return new KeyStates({ api }, { id, count, collection });
  }

  /** One sum for each part that the ranges are cut into, one range after the other, as by `partsOf`. */
  async sums(
    ranges: readonly SpreadRange[],
    parts: number,
    signal: AbortSignal,
  ): Promise<PartSum[]> {
    const value = await this.#read('sums', { ranges: pairs(ranges), parts }, signal);
    return value.map((each) => {
      const [count, sum] = Array.isArray(each) ? (each as unknown[]) : [];
      if (typeof count === 'number' && typeof sum === 'number') return { count, sum };
      throw invalid('what should be a sum is none');
    });
  }

  /** The documents of some ranges, by their keys. */
  async states(
    ranges: readonly SpreadRange[],
    signal: AbortSignal,
  ): Promise<Map<string, DocumentState>> {
    const value = await this.#read('states', { ranges: pairs(ranges) }, signal);
    return new Map(
      value.map((each) => {
        const [key, rev, digest] = Array.isArray(each) ? (each as unknown[]) : [];
        if (typeof key === 'string' && typeof rev === 'string' && typeof digest === 'number') {
          return [key, { rev, digest }];
        }
        throw invalid('what should be the state of a document is none');
      }),
    );
  }

  /** Source texts of documents, in the order of the keys; undefined for those that are not there. */
  async documents(keys: readonly string[], signal: AbortSignal): Promise<(string | undefined)[]> {
    const text = await this.#text('documents', keys, signal);
    const texts = splitArray(text)?.map(({ start, end }) => text.slice(start, end)) ?? [];
    if (texts.length !== keys.length) throw invalid('not as many documents as were asked for');
    return texts.map((each) => (each === 'null' ? undefined : each));
  }

  /** How much of the collection `sums` or `states` have gone over, from 0 to 1; undefined where that is not told. */
  async passed(signal: AbortSignal): Promise<number | undefined> {
    const path = `/_api/collection/${encodeURIComponent(this.#collection)}/works`;
    return shareOfWork(await this.#api.get(path, signal), 'search');
  }

  /** Lets the server forget it. */
  async close(signal: AbortSignal): Promise<void> {
    await this.#api.replicationItem('DELETE', 'keys', this.#id, signal);
  }

  async #read(type: string, body: object, signal: AbortSignal): Promise<readonly unknown[]> {
    const value: unknown = JSON.parse(await this.#text(type, body, signal));
    if (Array.isArray(value)) return value as unknown[];
    throw invalid(`the answer to ${type} is no list`);
  }

  async #text(type: string, body: object, signal: AbortSignal): Promise<string> {
    const options = { query: { type }, body };
    const answer = await this.#api.replicationItem('PUT', 'keys', this.#id, signal, options);
    return answer.body.toString('utf8');
  }
}

function pairs(ranges: readonly SpreadRange[]): [start: number, end: number][] {
  return ranges.map(({ start, end }) => [start, end]);
}

function invalid(reason: string): ServiceError {
  return new ServiceError('invalidResponse', reason);
}
