import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type Exchange, captures, rawExchanges, recorded } from './capture-files.ts';
import { OF_3, type RestoreServer, openRestoreServer } from './restore-client.ts';

/*
 * What was asked of the restore group of real servers, in the same order and situation, and what they answered:
 * status, number of the error, and what reading back shows. Texts and revisions may differ.
 */

interface Difference {
  readonly status: number;
  readonly errorNum?: number;
  readonly why: string;
}

const BAD_INDEX: Difference = {
  ...{ status: 400, errorNum: 10 },
  why: 'contract 0: an index of an unknown type is refused by its name',
};
const WITHOUT_REV: Difference = {
  status: 200,
  why: 'contract 4.3 knows no 1239: a document without a revision gets one',
};

/** Where this server answers differently, and why. */
const DIFFERENT: Readonly<Record<string, Readonly<Record<string, Difference>>>> = {
  'arangodb-1.4.3': {
    'restore/indexes-bad-type.http': BAD_INDEX,
    'restore/data-bad-json-line-check.http': {
      ...{ status: 404, errorNum: 1202 },
      why: 'contract 4.3, as 3.0: a bad line keeps out the lines before it, too',
    },
  },
  'arangodb-3.0.3': {
    'restore/collection-bad-type.http': {
      ...{ status: 500, errorNum: 1003 },
      why: 'as 1.4: there is no collection of type 9',
    },
    'restore/indexes-bad-type.http': BAD_INDEX,
    'restore/indexes-unknown-collection.http': {
      ...{ status: 404, errorNum: 1203 },
      why: 'contract 4.2: said, and not swallowed',
    },
    'restore/data-by-cid.http': WITHOUT_REV,
    'restore/data-edge.http': WITHOUT_REV,
    'restore/data-edge-check.http': WITHOUT_REV,
    'restore/data-edge-unknown-vertex-collection.http': WITHOUT_REV,
    'restore/data-edge-into-document-collection.http': WITHOUT_REV,
    'restore/data-no-trailing-newline.http': WITHOUT_REV,
  },
};

/** Members of answers that depend on the server, and figures that 3.0 adds to indexes. */
const UNCOMPARED: ReadonlySet<string> = new Set([
  ...['errorMessage', '_rev', 'isSystem', 'sparse', 'selectivityEstimate', 'ignoreNull'],
]);

/** Without what is not compared, and with the built-in index left to other tests. */
function comparable(value: unknown): unknown {
  if (Array.isArray(value)) {
    return value.filter((each) => (each as { type?: string }).type !== 'primary').map(comparable);
  }
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).filter(
    ([name]) => !UNCOMPARED.has(name) && !name.endsWith('/0'),
  );
  return Object.fromEntries(entries.map(([name, member]) => [name, comparable(member)]));
}

async function expectSame(
  server: RestoreServer,
  version: string,
  exchange: Exchange,
  headers: Record<string, string>,
): Promise<void> {
  const { name, method, path, body } = exchange;
  const answer = await server.request(method, path, { body, headers });
  const different = DIFFERENT[version]?.[name];
  if (different) {
    const wanted = [different.status, different.errorNum];
    expect([answer.status, answer.json['errorNum']], `${name}: ${different.why}`).toEqual(wanted);
    expect(wanted, name).not.toEqual([exchange.status, exchange.answer['errorNum']]);
    return;
  }
  expect(answer.status, name).toBe(exchange.status);
  const isListOf3 = version === 'arangodb-3.0.3' && name === 'restore/indexes-check.http';
  // 3.0 has no caps any more, and drops them; this server keeps all definitions (contract 9.4).
  const expected = comparable(exchange.answer) as Record<string, unknown>;
  const found = comparable(answer.json) as Record<string, unknown>;
  if (isListOf3) {
    const kept = (found['indexes'] as { type: string }[]).filter(({ type }) => type !== 'cap');
    expect(kept, name).toMatchObject(expected['indexes'] as object[]);
  } else {
    expect(found, name).toMatchObject(expected);
  }
}

describe.each(['arangodb-1.4.3', 'arangodb-3.0.3'] as const)('a real %s server', (version) => {
  const directory = captures(version);

  test.skipIf(directory === undefined)('answers each restore as this one', async () => {
    await using server = await openRestoreServer();
    const exchanges = recorded(directory ?? '', 'restore');
    expect(exchanges.length).toBeGreaterThan(45);
    const headers = version === 'arangodb-3.0.3' ? OF_3 : {};
    for (const exchange of exchanges) await expectSame(server, version, exchange, headers);
    const names = new Set(exchanges.map(({ name }) => name));
    for (const name of Object.keys(DIFFERENT[version] ?? {})) expect(names).toContain(name);
    await server.verify();
  });
});

describe('a real arangorestore 1.4.3', () => {
  const directory = captures('arangodb-1.4.3');

  test.skipIf(directory === undefined)(
    'gets the answers it got, and leaves what it left',
    async () => {
      await using server = await openRestoreServer();
      const tools = join(directory ?? '', 'tools');
      const exchanges = rawExchanges(join(tools, 'arangorestore.raw'));
      expect(exchanges.map(({ path }) => path.split('/').at(-1)?.split('?')[0])).toEqual([
        ...['version', 'restore-collection', 'restore-data', 'restore-indexes'],
        ...['restore-collection', 'restore-data'],
      ]);
      const headers = { 'x-arango-version': '1.4' };
      for (const { method, path, body, status, answer, name } of exchanges) {
        const { json, ...given } = await server.request(method, path, { body, headers });
        expect([given.status, json], name).toEqual([status, answer]);
      }
      const left = readFileSync(join(tools, 'dump-people-after-restore.ndjson'), 'utf8');
      const dump = await server.get('dump?collection=people');
      expect(dump.lines.map(withoutTicks)).toEqual(
        left
          .trimEnd()
          .split('\n')
          .map((line) => withoutTicks(JSON.parse(line) as object)),
      );
      const inventory = JSON.parse(
        readFileSync(join(tools, 'inventory-after-restore.json'), 'utf8'),
      ) as { collections: { parameters: { name: string; cid: string }; indexes: unknown }[] };
      for (const { parameters, indexes } of inventory.collections) {
        const collection = server.database.get(parameters.name);
        expect(collection.parameters).toEqual({ ...parameters, cid: collection.cid });
        expect(collection.indexDefinitions).toEqual(indexes);
      }
      await server.verify();
    },
  );
});

/** A line of a dump without ticks and revisions. */
function withoutTicks(line: object): object {
  const { tick, rev, data, ...rest } = line as Record<string, unknown>;
  expect([typeof tick, typeof rev]).toEqual(['string', 'string']);
  if (data === undefined) return rest;
  const { _rev, ...document } = data as Record<string, unknown>;
  expect(_rev).toBe(rev);
  return { ...rest, data: document };
}
