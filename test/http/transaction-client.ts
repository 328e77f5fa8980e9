import { type Answer, type TestServer, openTestServer } from '../support/http-server.ts';
import type { TestServerOptions } from '../support/http-server.ts';

export const LOGGING = {
  autoStart: true,
  logRemoteChanges: false,
  maxEvents: 0,
  maxEventsSize: 0,
  retainForClients: 0,
  retainForClientsSize: 0,
};

/** A server with collections of documents `c` and `d` and one of edges `e`. */
export async function openWithCollections(options: TestServerOptions = {}): Promise<TestServer> {
  const server = await openTestServer({ loggerConfig: LOGGING, ...options });
  for (const body of [{ name: 'c' }, { name: 'd' }, { name: 'e', type: 3 }]) {
    await server.request('POST', '/_api/collection', { body });
  }
  return server;
}

/** Requests that belong to one transaction, or to none. */
export class TransactionClient {
  readonly id: string;
  readonly #server: TestServer;

  private constructor(server: TestServer, id: string) {
    this.#server = server;
    this.id = id;
  }

  /** Begins a transaction that may write `c`, `d` and `e` unless told otherwise. */
  static async begin(
    server: TestServer,
    body: Record<string, unknown> = { collections: { write: ['c', 'd', 'e'] } },
  ): Promise<TransactionClient> {
    const answer = await server.request('POST', '/_api/transaction/begin', { body });
    if (answer.status !== 201)
      throw new Error(`begin was answered ${answer.status}: ${answer.text}`);
    const { id } = answer.json['result'] as { id: string };
    return new TransactionClient(server, id);
  }

  request(method: string, path: string, body?: unknown): Promise<Answer> {
    const headers = { 'x-arango-trx-id': this.id };
    return this.#server.request(method, path, { headers, ...(body === undefined ? {} : { body }) });
  }

  insert(collection: string, body: unknown, query = ''): Promise<Answer> {
    return this.request('POST', `/_api/document/${collection}${query}`, body);
  }

  read(handle: string): Promise<Answer> {
    return this.request('GET', `/_api/document/${handle}`);
  }

  commit(): Promise<Answer> {
    return this.#server.request('PUT', `/_api/transaction/${this.id}`);
  }

  abort(): Promise<Answer> {
    return this.#server.request('DELETE', `/_api/transaction/${this.id}`);
  }

  async status(): Promise<unknown> {
    const answer = await this.#server.request('GET', `/_api/transaction/${this.id}`);
    return (answer.json['result'] as { status?: unknown }).status;
  }
}

export function insert(server: TestServer, collection: string, body: unknown): Promise<Answer> {
  return server.request('POST', `/_api/document/${collection}`, { body });
}

export function read(server: TestServer, handle: string): Promise<Answer> {
  return server.request('GET', `/_api/document/${handle}`);
}

export async function count(server: TestServer, collection: string): Promise<unknown> {
  return (await server.request('GET', `/_api/collection/${collection}/count`)).json['count'];
}
