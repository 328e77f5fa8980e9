import type { ChangeTarget } from '../support/changes.ts';
import type { DocumentConnection } from './document-connection.ts';
import { PostgresConnection } from './postgres-connection.ts';

/** Table of documents under their keys, of the type that the manual recommends for JSON. */
export const POSTGRES_TABLE = 'documents (key text PRIMARY KEY, data jsonb NOT NULL)';

/** Documents in that table, over one connection. */
export class PostgresDocuments implements DocumentConnection, ChangeTarget {
  readonly #connection: PostgresConnection;

  constructor(connection: PostgresConnection) {
    this.#connection = connection;
  }

  static async open(port: number): Promise<PostgresDocuments> {
    const connection = await PostgresConnection.open(port);
    return new PostgresDocuments(connection);
  }

  async insert(key: string, text: string): Promise<void> {
    await this.#connection.query(`INSERT INTO documents VALUES ('${key}', ${quoted(text)})`);
  }

  async replace(key: string, text: string): Promise<void> {
    const sql = `UPDATE documents SET data = ${quoted(text)} WHERE key = '${key}' RETURNING 1`;
    await this.#oneRow(key, sql);
  }

  async remove(key: string): Promise<void> {
    await this.#oneRow(key, `DELETE FROM documents WHERE key = '${key}' RETURNING 1`);
  }

  async has(key: string): Promise<boolean> {
    const sql = `SELECT 1 FROM documents WHERE key = '${key}'`;
    return (await this.#connection.query(sql)).length === 1;
  }

  end(): void {
    this.#connection.end();
  }

  async #oneRow(key: string, sql: string): Promise<void> {
    const { length } = await this.#connection.query(sql);
    if (length !== 1) throw new Error(`PostgreSQL has no document ${key}`);
  }
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
