import { isDeepStrictEqual } from 'node:util';
import { Agent, type Dispatcher, request } from 'undici';
import type { KnownIds } from './fuzz-requests.ts';

const DATABASES = ['_system', 'fuzz'] as const;
/** Collections that every round begins with, and their types. */
const FIXTURES: Readonly<Record<string, number>> = {
  c: 2,
  e: 3,
  u: 2,
  boats: 2,
  crews: 2,
  harbours: 2,
};
/** The user that the document's examples speak of. */
const USER = 'pilot';
const DOCUMENTS_MAX = 300;
/** Members that change by themselves. */
const PASSING = new Set([
  ...['time', 'tick', 'deletionsSince', 'lastUncommittedLogTick', 'bytes', 'firstTick', 'holeAt'],
  ...['heldEvents', 'heldBytes'],
]);
const POLL_MS = 5;
const POLLS_MAX = 2000;

type Json = Record<string, unknown>;

/** What of a server a refused request must leave alone, and how it is kept small: over HTTP only. */
export class FuzzState implements AsyncDisposable {
  readonly #url: string;
  readonly #agent = new Agent({ connections: 2 });

  constructor(options: { url: string }) {
    this.#url = options.url;
  }

  /** Everything that is kept: of a log its end, which every change moves. */
  async read(): Promise<Json> {
    const paths = ['/_api/database', '/_api/transaction', '/_api/user'];
    paths.push(`/_api/user/${USER}/database?full=true`);
    for (const name of DATABASES) {
      const start = `/_db/${name}/_api/replication`;
      paths.push(`${start}/inventory?includeSystem=true`, `${start}/logger-config`);
      paths.push(`${start}/applier-config`);
    }
    const state: Json = {};
    for (const path of paths) {
      const { text } = await this.#send('GET', path);
      state[path] = withoutPassing(JSON.parse(text));
    }
    return state;
  }

  /**
   * Has everything as it was at first, but for the documents in the collections.
   * @returns what there is to be asked for, by the names of parameters
   */
  async tidy(): Promise<KnownIds> {
    await this.#json('DELETE', '/_api/job/all');
    const { transactions } = await this.#json('GET', '/_api/transaction');
    for (const { id } of (transactions ?? []) as { id: string }[]) {
      await this.#send('DELETE', `/_api/transaction/${id}`);
    }
    const { result } = await this.#json('GET', '/_api/database');
    for (const name of result as string[]) {
      if (!DATABASES.some((each) => each === name)) {
        await this.#send('DELETE', `/_api/database/${encodeURIComponent(name)}`);
      }
    }
    await this.#send('POST', '/_api/database', { name: 'fuzz' });
    await this.#tidyUsers();
    for (const name of DATABASES) await this.#tidyDatabase(`/_db/${name}`);
    return this.#open();
  }

  /** Opens one of everything that has an id. */
  async #open(): Promise<KnownIds> {
    const made: [string, string, object][] = [
      ['batch', '/_api/replication/batch', { ttl: 20 }],
      ['barrier', '/_api/replication/barrier', { ttl: 20, tick: '1' }],
      ['keys', '/_api/replication/keys?collection=c', {}],
      ['transaction', '/_api/transaction/begin', { collections: { write: ['c', 'u'] } }],
    ];
    const ids: Record<string, string[]> = {};
    for (const [name, path, body] of made) {
      const { text } = await this.#send('POST', path, body);
      const { id, result } = JSON.parse(text) as { id?: string; result?: { id: string } };
      ids[name] = [id ?? result?.id ?? '1'];
    }
    ids['user'] = [USER, 'none'];
    ids['index'] = [await this.#indexOf('u'), '0'];
    ids['job'] = [await this.#job(), 'done', 'pending', 'all', 'expired'];
    return ids;
  }

  async #indexOf(collection: string): Promise<string> {
    const { indexes } = await this.#json('GET', `/_api/index?collection=${collection}`);
    const id = (indexes as { id: string }[]).at(-1)?.id ?? '0';
    return id.replace(/.*\//, '');
  }

  async #job(): Promise<string> {
    const { headers } = await request(`${this.#url}/_api/version`, {
      dispatcher: this.#agent,
      headers: { 'x-arango-async': 'store' },
    });
    return String(headers['x-arango-async-id']);
  }

  /** Waits until no request runs that nobody waits for. @throws Error when they do not end */
  async settled(): Promise<void> {
    for (let polls = 0; ; polls++) {
      const { text } = await this.#send('GET', '/_api/job/pending');
      if (text === '[]') return;
      if (polls > POLLS_MAX) throw new Error(`requests that nobody waits for do not end: ${text}`);
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#agent.destroy();
  }

  async #tidyUsers(): Promise<void> {
    const { result } = await this.#json('GET', '/_api/user');
    const names = (result as { user: string }[]).map(({ user }) => user);
    for (const name of names) {
      if (name !== USER) await this.#send('DELETE', `/_api/user/${encodeURIComponent(name)}`);
    }
    // A password takes a while to be hashed.
    if (!names.includes(USER)) await this.#send('POST', '/_api/user', { user: USER });
  }

  async #tidyDatabase(prefix: string): Promise<void> {
    const replication = `${prefix}/_api/replication`;
    await this.#send('PUT', `${replication}/applier-stop`);
    await this.#send('DELETE', `${replication}/applier-state`);
    await this.#send('PUT', `${replication}/logger-start`);
    const { collections } = await this.#json('GET', `${replication}/inventory`);
    for (const entry of collections as {
      parameters: { cid: string; name: string; type: number };
    }[]) {
      const { cid, name, type } = entry.parameters;
      if (FIXTURES[name] !== type) await this.#send('DELETE', `${prefix}/_api/collection/${cid}`);
    }
    for (const [name, type] of Object.entries(FIXTURES)) {
      await this.#send('POST', `${prefix}/_api/collection`, { name, type });
      const { count } = await this.#json('GET', `${prefix}/_api/collection/${name}/count`);
      if (Number(count) > DOCUMENTS_MAX) {
        await this.#send('PUT', `${prefix}/_api/collection/${name}/truncate`);
      }
    }
    const index = { type: 'hash', unique: true, fields: ['a'] };
    await this.#send('POST', `${prefix}/_api/index?collection=u`, index);
    for (const key of ['k1', 'k2']) {
      await this.#send('POST', `${prefix}/_api/document?collection=c`, { _key: key, a: key });
    }
  }

  async #json(method: Dispatcher.HttpMethod, path: string): Promise<Json> {
    const { status, text } = await this.#send(method, path);
    if (status !== 200) throw new Error(`${method} ${path}: ${status} ${text}`);
    return JSON.parse(text) as Json;
  }

  async #send(
    method: Dispatcher.HttpMethod,
    path: string,
    body?: object,
  ): Promise<{ status: number; text: string }> {
    const answer = await request(this.#url + path, {
      dispatcher: this.#agent,
      method,
      body: body === undefined ? null : JSON.stringify(body),
    });
    return { status: answer.statusCode, text: await answer.body.text() };
  }
}

/** In what two readings differ; empty when they do not. */
export function stateDifference(before: unknown, after: unknown, place = ''): string {
  if (isDeepStrictEqual(before, after)) return '';
  if (isObject(before) && isObject(after)) {
    const names = [...new Set([...Object.keys(before), ...Object.keys(after)])];
    return names
      .map((name) => stateDifference(before[name], after[name], `${place} > ${name}`))
      .filter((line) => line !== '')
      .join('\n');
  }
  return `${place}: ${JSON.stringify(before)} became ${JSON.stringify(after)}`;
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null;
}

function withoutPassing(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value, (name, member: unknown) => (PASSING.has(name) ? undefined : member)),
  );
}
