import { sleep } from '../base/sleep.ts';
import type { VerifyNumbers } from '../model/verify-numbers.ts';
import type { SyncNumbers } from '../model/sync-numbers.ts';
import type { WorkNumbers } from '../model/work-numbers.ts';
import { Header } from '../protocol/headers.ts';
import type { RequestOptions, Scope, ScopedCall } from './scope.ts';
import type { HttpAnswer } from './server-http.ts';

const PATH = '/_api/job';
/** Pauses between questions, in ms; from then on it is the last. */
const PAUSES_MS = [50, 250, 500, 1000];
const LAST_PAUSE_MS = 2000;

/** How far a request is that the server runs by itself. */
export interface JobProgress {
  readonly id: string;
  readonly done: boolean;
  readonly method: string;
  readonly path: string;
  /** UTC, ISO 8601. */
  readonly startedAt: string;
  readonly secondsRunning: number;
  /** Of `sync` and `makeFollower`, while they copy. */
  readonly sync: SyncNumbers | null;
  /** Of `verify`. */
  readonly verify: VerifyNumbers | null;
  /** What goes over the collection, where an index or a checksum was asked for. */
  readonly works: readonly WorkNumbers[];
}

/**
 * A request that the server runs by itself (contract 1.1). It keeps the answer for an hour; then, and when
 * the answer was fetched, methods reject with notFound (404).
 */
export class Job<T> {
  readonly id: string;
  readonly #scope: Scope;
  readonly #read: (answer: HttpAnswer) => T;

  /** @param options.read makes the result of a good answer */
  constructor(
    deps: { scope: Scope },
    options: { readonly id: string; readonly read: (answer: HttpAnswer) => T },
  ) {
    this.#scope = deps.scope;
    this.id = options.id;
    this.#read = options.read;
  }

  async isDone(options: RequestOptions = {}): Promise<boolean> {
    return (await this.#scope.send('GET', this.#path(), options)).status === 200;
  }

  /** How far it is, as long as its answer is there. */
  async progress(options: RequestOptions = {}): Promise<JobProgress> {
    return this.#scope.json('GET', `${this.#path()}/progress`, options);
  }

  /**
   * Takes the result, once; undefined while there is none.
   * @throws TicklogError when the request itself was refused
   */
  async fetch(options: RequestOptions = {}): Promise<T | undefined> {
    const answer = await this.#scope.send('PUT', this.#path(), options);
    return answer.headers[Header.asyncId] === undefined ? undefined : this.#read(answer);
  }

  /** As `fetch`, as soon as there is a result. An abort of the signal ends the wait only. */
  async result(options: RequestOptions = {}): Promise<T> {
    for (let asked = 0; ; asked++) {
      const result = await this.fetch(options);
      if (result !== undefined) return result;
      await sleep(PAUSES_MS[asked] ?? LAST_PAUSE_MS, options.signal);
    }
  }

  /** Gives the answer up; a request that runs goes on. */
  async forget(options: RequestOptions = {}): Promise<void> {
    await this.#scope.json('DELETE', this.#path(), options);
  }

  #path(): string {
    return `${PATH}/${encodeURIComponent(this.id)}`;
  }
}

/**
 * Has the server run a request by itself.
 * @throws TicklogError resourceLimit (32) when too many run
 */
export async function startJob<T extends object>(
  scope: Scope,
  method: 'PUT' | 'POST',
  path: string,
  call: ScopedCall,
  read: (answer: HttpAnswer) => T,
): Promise<Job<T>> {
  const { headers } = await scope.with({ [Header.async]: 'store' }).send(method, path, call);
  const id = headers[Header.asyncId];
  if (typeof id !== 'string') throw scope.invalid('it does not run requests by itself');
  return new Job<T>({ scope }, { id, read });
}

/** All jobs of a server, whoever started them. */
export class JobsClient {
  readonly #scope: Scope;

  constructor(deps: { scope: Scope }) {
    this.#scope = deps.scope;
  }

  /**
   * Ids of those that are done and not fetched, or still run; the oldest first.
   * @param options.count how many at most; 100 by default
   */
  list(
    state: 'done' | 'pending',
    { signal, count }: RequestOptions & { count?: number | undefined } = {},
  ): Promise<readonly string[]> {
    return this.#scope.json('GET', `${PATH}/${state}`, { query: { count }, signal });
  }

  /** Gives up all answers; requests that run go on. */
  async forgetAll(options: RequestOptions = {}): Promise<void> {
    await this.#scope.json('DELETE', `${PATH}/all`, options);
  }
}
