import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { logLines } from '../support/log-lines.ts';
import { TransactionClient, insert, openWithCollections } from './transaction-client.ts';

/*
 * A real 1.4.3 server was sent transactions in JavaScript. Here the same operations are sent as stream
 * transactions, and the lines of the log are compared: their types and order, which members they have, and
 * all values but ids, ticks and revisions.
 */

const EVENTS = fileURLToPath(
  new URL('../../../shared/captures/arangodb-1.4.3/events/', import.meta.url),
);
const FOUND = existsSync(EVENTS);
// The captures are no part of the project; say so instead of passing without them.
if (!FOUND) console.warn('skipped: the captures of real servers are not at hand');

type Line = Record<string, unknown>;
type Operations = (trx: TransactionClient) => Promise<void>;

/** The log that the real server had behind the operation. */
function capturedLines(name: string): Line[] {
  const text = readFileSync(`${EVENTS}${name}`, 'utf8').replaceAll('\r\n', '\n');
  const [, body = ''] =
    text
      .split(/^### RESPONSE ###\n/m)
      .slice(-1)[0]
      ?.split('\n\n') ?? [];
  const lines = body.split('\n').filter((line) => line !== '');
  return lines.map((line) => JSON.parse(line) as Line);
}

/** Ids, ticks and revisions become their kind; everything else stays. */
function shapeOf(value: unknown, name = ''): unknown {
  if (/^(?:tick|tid|cid|rev|oldRev|_rev)$/.test(name)) {
    expect(value, name).toMatch(/^[0-9]+$/);
    return 'digits';
  }
  if (Array.isArray(value)) return value.map((each) => shapeOf(each));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([member, each]) => [member, shapeOf(each, member)]),
  );
}

const save: (trx: TransactionClient, body: unknown) => Promise<unknown> = (trx, body) =>
  trx.insert('people', body);

const CASES: Readonly<Record<string, Operations>> = {
  '50-transaction-multi.http': async (trx) => {
    await save(trx, { _key: 't1', uid: 11, serial: 11 });
    await save(trx, { _key: 't2', uid: 12, serial: 12 });
    await trx.request('PATCH', '/_api/document/people/t1', { x: 1 });
    const ends = 'from=people/t1&to=people/t2';
    await trx.request('POST', `/_api/edge?collection=knows&${ends}`, { _key: 'te' });
    await trx.request('DELETE', '/_api/document/people/t2');
    await trx.commit();
  },
  '51-transaction-single-op.http': async (trx) => {
    await save(trx, { _key: 't3', uid: 13, serial: 13 });
    await trx.commit();
  },
  '52-transaction-waitForSync.http': async (trx) => {
    await save(trx, { _key: 't4', uid: 14, serial: 14 });
    await trx.request('DELETE', '/_api/document/people/t4');
    await trx.commit();
  },
  '53-transaction-abort.http': async (trx) => {
    await save(trx, { _key: 't5', uid: 15, serial: 15 });
    await trx.abort();
  },
  '54-transaction-read-only.http': async (trx) => {
    await trx.request('GET', '/_api/collection/people/count');
    await trx.commit();
  },
};

describe.skipIf(!FOUND)('a transaction of a real 1.4.3 server', () => {
  test.each(Object.entries(CASES))('%s is in the log as here', async (name, operations) => {
    await using server = await openWithCollections();
    await server.request('POST', '/_api/collection', { body: { name: 'people' } });
    await server.request('POST', '/_api/collection', { body: { name: 'knows', type: 3 } });
    await insert(server, 'people', { _key: 'num' });
    const from = server.store.lastCommitted;
    const trx = await TransactionClient.begin(server, {
      collections: { write: ['people', 'knows'] },
      waitForSync: name.includes('waitForSync'),
    });
    await operations(trx);
    const lines = await logLines(server.catalogue.get('_system').changelog, { from });
    const ours = lines.map(({ text }) => JSON.parse(text) as Line);
    expect(ours.map((line) => shapeOf(line))).toEqual(
      capturedLines(name).map((line) => shapeOf(line)),
    );
  });
});
