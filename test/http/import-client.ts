import {
  type Answer,
  type TestServer,
  type TestServerOptions,
  openTestServer,
} from '../support/http-server.ts';
import { DEFAULT_LOGGER_CONFIG } from '../../src/model/logger-config.ts';
import { MAX_TICK } from '../../src/model/tick.ts';

/** A logger that runs from the start. */
export const LOGGING = { ...DEFAULT_LOGGER_CONFIG, autoStart: true };

/** What an import answers that did nothing. */
export const NOTHING = { error: false, created: 0, errors: 0, empty: 0, updated: 0, ignored: 0 };

/** A server with a collection `c` that has the properties of `body`. */
export async function openWithCollection(
  body: Record<string, unknown> = {},
  options: TestServerOptions = {},
): Promise<TestServer> {
  const server = await openTestServer(options);
  await server.request('POST', '/_api/collection', { body: { name: 'c', ...body } });
  return server;
}

/** Imports into `c`. */
export function postImport(server: TestServer, query: string, body: unknown): Promise<Answer> {
  return server.request('POST', `/_api/import?collection=c&${query}`, { body });
}

/** All documents of `c` by their keys, without key, id and revision. */
export async function documentsOf(
  server: TestServer,
): Promise<Record<string, Record<string, unknown>>> {
  const list = await server.request('GET', '/_api/document?collection=c');
  const found: Record<string, Record<string, unknown>> = {};
  for (const path of list.json['documents'] as string[]) {
    const { json } = await server.request('GET', path);
    const own = ['_id', '_rev', '_key'];
    const rest = Object.entries(json).filter(([name]) => !own.includes(name));
    found[String(json['_key'])] = Object.fromEntries(rest);
  }
  return found;
}

/** How many documents `c` says it has. */
export async function countOf(server: TestServer): Promise<unknown> {
  return (await server.request('GET', '/_api/collection/c/count')).json['count'];
}

/** Types of the document and transaction events logged since the start. */
export async function loggedTypes(server: TestServer): Promise<number[]> {
  const { changelog } = server.catalogue.get('_system');
  const range = { from: 0n, to: MAX_TICK, limitBytes: 2 ** 30 };
  const { body } = await changelog.readPage(range);
  const lines = body.toString().trimEnd().split('\n');
  const types = lines.map((line) => (JSON.parse(line) as { type: number }).type);
  return types.filter((type) => type >= 2200);
}
