import { expect } from 'vitest';
import { CollectionCopies } from '../../src/documents/collection-copy.ts';
import type { Answer } from '../support/http-server.ts';
import {
  type LeaderServer,
  type LeaderServerOptions,
  openLeaderServer,
} from '../support/leader-server.ts';
import { type LogLine, logLines } from '../support/log-lines.ts';
import { documentsOf } from '../support/sync-follower.ts';
import { verifyCore } from '../support/verify-core.ts';
import { LOGGING } from './import-client.ts';

/** What a client of 3.x says of itself. */
export const OF_3 = { 'x-arango-version': '30003' };

export interface SendSettings {
  /** More parameters, beginning with `&`. */
  readonly query?: string;
  readonly headers?: Record<string, string>;
  /** `c` when absent. */
  readonly collection?: string;
}

export interface RestoreServer extends LeaderServer {
  /** PUT below `/_api/replication/`; an object is sent as JSON. */
  restore(command: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>;
  /** Sends a body to restore-data. */
  send(body: unknown, settings?: SendSettings): Promise<Answer>;
  /** Restores lines, which must succeed. */
  restoreLines(lines: readonly string[], settings?: SendSettings): Promise<void>;
  /** The documents of a collection as they are stored, by key. */
  stored(name: string): Promise<Record<string, Record<string, unknown>>>;
  /** The same without revisions, which all of them must have. */
  contents(name: string): Promise<Record<string, unknown>>;
  /** Everything logged so far. */
  logged(): Promise<LogLine[]>;
  /** Checks that log, journals, pointers, indexes and figures agree. */
  verify(): Promise<void>;
}

/** A server whose logger runs, with the collections `c` of documents and `e` of edges. */
export async function openRestoreServer(options: LeaderServerOptions = {}): Promise<RestoreServer> {
  const server = await openLeaderServer({ loggerConfig: LOGGING, ...options });
  await server.collections.create(server.database, { name: 'c' });
  await server.collections.create(server.database, { name: 'e', type: 3 });
  const restore: RestoreServer['restore'] = (command, body, headers = {}) =>
    server.request('PUT', `/_api/replication/${command}`, { body, headers });
  const send: RestoreServer['send'] = (body, { query = '', headers = {}, collection = 'c' } = {}) =>
    restore(`restore-data?collection=${collection}${query}`, body, headers);
  const stored: RestoreServer['stored'] = async (name) => {
    const documents = await documentsOf(server.store, server.database.get(name));
    return documents as Record<string, Record<string, unknown>>;
  };
  return {
    ...server,
    restore,
    send,
    stored,
    restoreLines: async (lines, settings) => {
      const { status, json } = await send(`${lines.join('\n')}\n`, settings);
      expect([status, json]).toEqual([200, { result: true }]);
    },
    contents: async (name) => {
      const entries = Object.entries(await stored(name)).map(([key, { _rev, ...rest }]) => {
        expect(_rev).toMatch(/./);
        return [key, rest];
      });
      return Object.fromEntries(entries) as Record<string, unknown>;
    },
    logged: () => logLines(server.database.changelog),
    verify: () => verifyCore({ ...server, copies: new CollectionCopies(server) }),
  };
}

/** A body of restore-collection and restore-indexes. */
export function backup(parameters: object, indexes: readonly object[] = []): object {
  return { parameters, indexes };
}

/** A line in the shape of 1.4. */
export function lineOf1(key: string, rev: string, value: object = {}, type = 2300): string {
  return JSON.stringify({ type, key, rev, data: { _key: key, _rev: rev, ...value } });
}

/** A line in the shape of 3.x. */
export function lineOf3(key: string, rev: string, value: object = {}): string {
  const data = { _id: `c/${key}`, _key: key, _rev: rev, ...value };
  return JSON.stringify({ type: 2300, data });
}
