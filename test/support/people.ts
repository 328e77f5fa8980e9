import { expect } from 'vitest';
import type { LiveServer } from './live-server.ts';

const LOAD_LINES = 25_000;

/** Imports documents `k<first>` and so on into the collection `people`. */
export async function loadPeople(server: LiveServer, count: number, first = 0): Promise<void> {
  for (let from = first; from < first + count; from += LOAD_LINES) {
    const size = Math.min(LOAD_LINES, first + count - from);
    const lines = Array.from({ length: size }, (_, i) =>
      JSON.stringify({ _key: `k${from + i}`, n: from + i, text: `person ${from + i}`, on: true }),
    );
    const path = '/_api/import?collection=people&type=documents';
    await server.api.http.json('POST', path, lines.join('\n'));
  }
}

/** Changes a value where no log tells of it, and the revision does not either. */
export async function changeSecretly(server: LiveServer, key: string): Promise<void> {
  const document = await readPerson(server, key);
  const { _rev: rev } = document as { _rev: string };
  const line = { type: 2300, key, rev, data: { ...document, _id: undefined, on: false } };
  const path = '/_api/replication/restore-data?collection=people&recycleIds=true';
  await server.api.http.json('PUT', path, JSON.stringify(line));
  expect(await readPerson(server, key)).toMatchObject({ _rev: rev, on: false });
}

export function readPerson(server: LiveServer, key: string): Promise<Record<string, unknown>> {
  return server.api.http.json('GET', `/_api/document/people/${key}`) as never;
}
