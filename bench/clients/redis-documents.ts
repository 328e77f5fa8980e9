import type { ChangeTarget } from '../support/changes.ts';
import type { DocumentConnection } from './document-connection.ts';
import { RedisConnection } from './redis-connection.ts';

/** Documents as texts under their keys, over one connection. */
export class RedisDocuments implements DocumentConnection, ChangeTarget {
  readonly #connection: RedisConnection;

  constructor(connection: RedisConnection) {
    this.#connection = connection;
  }

  static async open(port: number): Promise<RedisDocuments> {
    const connection = await RedisConnection.open(port);
    return new RedisDocuments(connection);
  }

  async insert(key: string, text: string): Promise<void> {
    await this.#set(key, text, 'NX');
  }

  async replace(key: string, text: string): Promise<void> {
    await this.#set(key, text, 'XX');
  }

  async remove(key: string): Promise<void> {
    if ((await this.#connection.command('DEL', key)) === 1) return;
    throw new Error(`Redis has no document ${key}`);
  }

  async has(key: string): Promise<boolean> {
    return (await this.#connection.command('EXISTS', key)) === 1;
  }

  end(): void {
    this.#connection.end();
  }

  async #set(key: string, text: string, condition: 'NX' | 'XX'): Promise<void> {
    if ((await this.#connection.command('SET', key, text, condition)) === 'OK') return;
    throw new Error(`Redis did not set ${key} (${condition})`);
  }
}
