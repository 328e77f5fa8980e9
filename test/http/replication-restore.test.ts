import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { expectError } from './expect-error.ts';
import { OF_3, type RestoreServer, backup, lineOf1, openRestoreServer } from './restore-client.ts';

let server: RestoreServer;
beforeEach(async () => {
  server = await openRestoreServer();
});
afterEach(async () => {
  await server.verify();
  await server[Symbol.asyncDispose]();
});

const DONE = { result: true };

async function expectDone(command: string, body: unknown): Promise<void> {
  const { status, json } = await server.restore(command, body);
  expect([status, json]).toEqual([200, DONE]);
}

/** Types of what was logged since the server was opened, without the collections it began with. */
async function loggedTypes(): Promise<number[]> {
  return (await server.logged()).slice(3).map(({ type }) => type);
}

describe('every restore command', () => {
  const commands = ['restore-collection', 'restore-indexes', 'restore-data', 'restore-view'];

  test.each(commands)('%s has PUT only', async (command) => {
    for (const method of ['GET', 'POST', 'DELETE', 'PATCH']) {
      expectError(await server.call(method, `/_api/replication/${command}`), 405, 405);
      expectError(await server.call(method, `/_api/replication/${command}/x`), 400, 601);
    }
    const head = await server.call('HEAD', `/_api/replication/${command}`);
    expect([head.status, head.text]).toEqual([405, '']);
  });

  test.each(commands)('%s is of one database, which must exist', async (command) => {
    expectError(await server.call('PUT', `/_db/none/_api/replication/${command}`), 404, 1228);
  });

  test.each(['restore-collection', 'restore-indexes'])(
    '%s refuses what is no JSON with 400/400, and what describes no collection with 500/400',
    async (command) => {
      for (const body of ['', '{foo', '{"parameters":{},"parameters":{}}', Buffer.of(0xff)]) {
        for (const headers of [{}, OF_3]) {
          const answer = await server.restore(command, body, headers);
          expectError(answer, 400, 400);
          expect(answer.json['errorMessage']).toMatch(/^invalid JSON$|UTF-8/);
        }
      }
      const malformed = [
        ...['[]', 'null', '1', '{}'],
        ...[{ parameters: [], indexes: [] }, { parameters: { name: 'x' } }],
        ...[
          { parameters: {}, indexes: [] },
          { parameters: { name: '' }, indexes: [] },
        ],
        ...[
          { parameters: { name: 7 }, indexes: [] },
          { parameters: { name: 'x' }, indexes: {} },
        ],
        { parameters: { name: 'x' }, indexes: [1] },
      ];
      for (const body of malformed) {
        for (const headers of [{}, OF_3]) {
          expectError(await server.restore(command, body, headers), 500, 400);
        }
      }
      expect(server.database.byName('x')).toBeUndefined();
    },
  );

  test('restore-view is answered 501: there are no views', async () => {
    const body = { name: 'v', type: 'arangosearch' };
    const answer = await server.restore('restore-view?overwrite=true', body);
    expectError(answer, 501, 9);
    expect(answer.json['errorMessage']).toMatch(/no views/);
  });
});

describe('restore-collection', () => {
  test('makes a collection with its properties, and logs that', async () => {
    const parameters = {
      ...{ version: 5, type: 3, cid: '99001', deleted: false, doCompact: false, name: 'knows' },
      ...{ maximalSize: 2_097_152, isVolatile: true, waitForSync: true },
      keyOptions: { type: 'autoincrement', offset: 7, increment: 3, lastValue: 5 },
    };
    const query = 'force=true&numberOfShards=3&replicationFactor=2';
    const more = 'ignoreDistributeShardsLikeErrors=true&unknown=1';
    await expectDone(`restore-collection?${query}&${more}`, backup(parameters, [{ id: '5' }]));
    const made = server.database.get('knows');
    expect(made.parameters).toEqual({
      ...parameters,
      cid: made.cid,
      keyOptions: { type: 'autoincrement', allowUserKeys: true, offset: 7, increment: 3 },
    });
    expect(made.cid).not.toBe('99001');
    expect(made.indexDefinitions).toEqual([]);
    expect((await server.logged()).at(-1)).toMatchObject({
      type: 2000,
      cid: made.cid,
      collection: { name: 'knows', type: 3, maximalSize: 2_097_152 },
    });
  });

  test('takes defaults for what is not said, and documents for the type', async () => {
    await expectDone('restore-collection', backup({ name: 'plain' }));
    expect(server.database.get('plain').parameters).toMatchObject({
      ...{ version: 4, type: 2, deleted: false, doCompact: true, maximalSize: 33_554_432 },
      ...{ isVolatile: false, waitForSync: false },
    });
  });

  test('keeps attributes of other generations, but not what a collection was there', async () => {
    const kept = { indexBuckets: 8, schema: { level: 'none' }, cacheEnabled: true };
    const state = {
      ...{ count: 7698, isSystem: true, status: 3, statusString: 'loaded', planId: '7' },
      ...{ globallyUniqueId: 'h1/7', shards: {}, id: '7', journalSize: 1 },
    };
    const parameters = { cid: '5948', type: 2, name: 'Breaks', ...kept, ...state };
    await expectDone('restore-collection', backup(parameters));
    const made = server.database.get('Breaks');
    expect(made.parameters.extra).toEqual(kept);
    expect(made.isSystem).toBe(false);
  });

  test('raises journals that are too small, as real servers do', async () => {
    await expectDone('restore-collection', backup({ name: 'small', maximalSize: 1 }));
    expect(server.database.get('small').parameters.maximalSize).toBe(1_048_576);
  });

  test('finds the indexes of old backups inside the parameters', async () => {
    await expectDone('restore-collection', { parameters: { name: 'old', indexes: [] } });
    expect(server.database.byName('old')).toBeDefined();
  });

  test('makes system collections, which their names tell', async () => {
    await expectDone('restore-collection', backup({ name: '_graphs' }));
    expect(server.database.get('_graphs').isSystem).toBe(true);
    await expectDone('restore-collection?overwrite=true', backup({ name: '_graphs' }));
  });

  test('leaves alone what the backup says is deleted', async () => {
    await expectDone('restore-collection', backup({ name: 'gone', deleted: true }));
    await expectDone('restore-collection?overwrite=true', backup({ name: 'c', deleted: true }));
    expect(server.database.byName('gone')).toBeUndefined();
    expect(await loggedTypes()).toEqual([]);
  });

  test('without overwrite refuses one that exists: 500/1207', async () => {
    const before = server.database.get('c').cid;
    for (const headers of [{}, OF_3]) {
      expectError(
        await server.restore('restore-collection', backup({ name: 'c' }), headers),
        500,
        1207,
      );
    }
    expect(server.database.get('c').cid).toBe(before);
    expect(await loggedTypes()).toEqual([]);
  });

  test('with overwrite puts a new one in its place at one moment, and logs both', async () => {
    const old = server.database.get('c');
    await server.restore('restore-data?collection=c', lineOf1('k', '5'));
    await expectDone('restore-collection?overwrite=true', backup({ name: 'c', type: 3 }));
    const made = server.database.get('c');
    expect([made.type, made.stats.count, old.dropped]).toEqual([3, 0, true]);
    expect(made.cid).not.toBe(old.cid);
    expect(await loggedTypes()).toEqual([2300, 2001, 2000]);
    expectError(await server.call('GET', '/_api/document/c/k'), 404, 1202);
  });

  test('with overwrite needs nothing that could be overwritten', async () => {
    await expectDone('restore-collection?overwrite=true', backup({ name: 'new' }));
    expect(await loggedTypes()).toEqual([2000]);
  });

  test.each<[string, object, number]>([
    ['a name that is none', { name: 'bad name!' }, 1208],
    ['a name that is too long', { name: 'x'.repeat(65) }, 1208],
    ['a type that is none', { name: 'x', type: 9 }, 1003],
    ['a type that is no number', { name: 'x', type: '2' }, 1003],
  ])('refuses %s', async (_, parameters, errorNum) => {
    for (const headers of [{}, OF_3]) {
      const answer = await server.restore('restore-collection', backup(parameters), headers);
      expectError(answer, 500, errorNum);
    }
    expect(await loggedTypes()).toEqual([]);
  });

  test('refuses a key generator that cannot count', async () => {
    for (const wrong of [{ increment: 0 }, { offset: -1 }, { increment: 1.5 }]) {
      const body = backup({ name: 'x', keyOptions: { type: 'autoincrement', ...wrong } });
      expectError(await server.restore('restore-collection', body), 500, 1232);
      expectError(await server.restore('restore-collection', body, OF_3), 400, 1232);
    }
    await expectDone('restore-collection', backup({ name: 'x', keyOptions: { type: 'padded' } }));
  });

  test('refuses what a running applier replicates: 403/1004', async () => {
    server.database.writeGuard = (name) => name !== 'free';
    for (const headers of [{}, OF_3]) {
      for (const name of ['c', 'new']) {
        const answer = await server.restore(
          'restore-collection?overwrite=1',
          backup({ name }),
          headers,
        );
        expectError(answer, 403, 1004);
      }
    }
    await expectDone('restore-collection', backup({ name: 'free' }));
    server.database.writeGuard = undefined;
  });
});

describe('restore-collection with recycleIds', () => {
  const recycle = 'restore-collection?recycleIds=true';

  test('gives the collection the id of the backup, and counts on above it', async () => {
    await expectDone(recycle, backup({ name: 'r', cid: '7700001' }));
    expect(server.database.get('7700001').name).toBe('r');
    const far = (1n << 61n).toString();
    await expectDone(recycle, backup({ name: 'far', cid: far }));
    const { json } = await server.call('POST', '/_api/document?collection=c', '{}');
    expect(BigInt(json['_rev'] as string)).toBeGreaterThan(1n << 61n);
  });

  test('needs an id: a string of digits', async () => {
    for (const cid of [undefined, 7, '', 'x', '0', '007', '1'.repeat(20)]) {
      for (const headers of [{}, OF_3]) {
        expectError(await server.restore(recycle, backup({ name: 'r', cid }), headers), 500, 400);
      }
    }
    const large = { name: 'r', cid: ((1n << 62n) + 1n).toString() };
    for (const headers of [{}, OF_3]) {
      expectError(await server.restore(recycle, backup(large), headers), 400, 10);
    }
    expect(server.database.byName('r')).toBeUndefined();
    // Without being asked for it nobody looks at the id.
    await expectDone('restore-collection', backup({ name: 'r', cid: 7 }));
  });

  test('refuses an id or a name that is there', async () => {
    await expectDone(recycle, backup({ name: 'r', cid: '7700001' }));
    for (const parameters of [
      { name: 'other', cid: '7700001' },
      { name: 'r', cid: '7700002' },
    ]) {
      expectError(await server.restore(recycle, backup(parameters)), 500, 1207);
    }
  });

  test('with overwrite replaces what has the id and what has the name', async () => {
    await expectDone(recycle, backup({ name: 'a', cid: '7700001' }));
    await expectDone(recycle, backup({ name: 'b', cid: '7700002' }));
    await expectDone(`${recycle}&overwrite=true`, backup({ name: 'b', cid: '7700001' }));
    expect(server.database.get('b').cid).toBe('7700001');
    expect(server.database.byName('a')).toBeUndefined();
    expect(server.database.byCid('7700002')).toBeUndefined();
    expect(await loggedTypes()).toEqual([2000, 2000, 2001, 2001, 2000]);
    await expectDone(`${recycle}&overwrite=true`, backup({ name: 'b', cid: '7700001' }));
    expect(server.database.get('b').cid).toBe('7700001');
  });
});

describe('restore-indexes', () => {
  const HASH = { id: '990011', type: 'hash', unique: false, fields: ['a'] };

  function restoreIndexes(indexes: readonly object[], query = ''): Promise<unknown> {
    return expectDone(`restore-indexes${query}`, backup({ name: 'c' }, indexes));
  }

  test('makes all of them with their own ids, in their order, and logs that', async () => {
    const indexes = [
      HASH,
      { id: '990012', type: 'skiplist', unique: true, fields: ['b', 'c'] },
      { id: '990013', type: 'persistent', unique: false, fields: ['d'], sparse: false },
      { id: '990014', type: 'fulltext', unique: false, minLength: 3, fields: ['t'] },
      { id: '990015', type: 'geo2', unique: false, constraint: false, fields: ['la', 'lo'] },
      { id: '990016', type: 'cap', unique: false, size: 1000, byteSize: 0 },
    ];
    const builtIn = [
      { id: '0', type: 'primary', unique: true, fields: ['_key'] },
      { id: '1', type: 'edge', unique: false, fields: ['_from', '_to'] },
    ];
    await restoreIndexes([...builtIn, ...indexes]);
    expect(server.database.get('c').indexDefinitions).toEqual(indexes);
    expect(await loggedTypes()).toEqual(indexes.map(() => 2100));
  });

  test('fills them with the documents that are there', async () => {
    await server.restore('restore-data?collection=c', lineOf1('k', '5', { a: 1 }));
    await restoreIndexes([{ ...HASH, unique: true }]);
    expectError(await server.call('POST', '/_api/document?collection=c', '{"a":1}'), 409, 1210);
  });

  test('may be repeated', async () => {
    await restoreIndexes([HASH]);
    await restoreIndexes([HASH]);
    expect(server.database.get('c').indexDefinitions).toEqual([HASH]);
    expect(await loggedTypes()).toEqual([2100]);
  });

  test('gives another id to an index whose id is taken or missing, and takes ids as numbers', async () => {
    const without = { type: 'hash', unique: false, fields: ['z'] };
    await restoreIndexes([{ ...HASH, id: 990011, selectivityEstimate: 1 }]);
    await restoreIndexes([{ ...HASH, fields: ['b'] }, without]);
    const [first, second, third] = server.database.get('c').indexDefinitions;
    expect(first).toEqual(HASH);
    expect([second?.fields, third?.fields]).toEqual([['b'], ['z']]);
    expect(new Set([first?.id, second?.id, third?.id]).size).toBe(3);
  });

  test('without indexes is done, whatever the collection', async () => {
    await restoreIndexes([]);
    await expectDone('restore-indexes', backup({ name: 'nosuch' }));
    await expectDone('restore-indexes', backup({ name: 'nosuch', deleted: true }, [HASH]));
  });

  test('of an unknown collection is 500/1203 for 1.4 and 404/1203 for 3.x', async () => {
    const body = backup({ name: 'nosuch' }, [HASH]);
    expectError(await server.restore('restore-indexes', body), 500, 1203);
    expectError(await server.restore('restore-indexes', body, OF_3), 404, 1203);
  });

  test.each<[string, object, RegExp]>([
    ['an unknown type', { id: '990021', type: 'foo', fields: ['a'] }, /^index 990021: .*"foo"/],
    ['no type', { id: '990021', fields: ['a'] }, /^index 990021: /],
    ['no fields', { id: '990021', type: 'hash' }, /^index 990021: .*fields/],
    ['an id that is none', { id: 'x1', type: 'hash', fields: ['a'] }, /^index x1: /],
    ['an id that is too large', { ...HASH, id: '9'.repeat(19) }, /^index 9{19}: .*2\^62/],
    ['no type and no id', { fields: ['a'] }, /^the index of type undefined without id: /],
  ])('with %s makes nothing, and names the index: 400/10', async (_, wrong, message) => {
    for (const headers of [{}, OF_3]) {
      const answer = await server.restore(
        'restore-indexes',
        backup({ name: 'c' }, [HASH, wrong]),
        headers,
      );
      expectError(answer, 400, 10);
      expect(answer.json['errorMessage']).toMatch(message);
    }
    expect(server.database.get('c').indexDefinitions).toEqual([]);
    await restoreIndexes([wrong, HASH], '?force=true');
    expect(server.database.get('c').indexDefinitions).toEqual([HASH]);
  });

  test('says which index the documents do not satisfy, and makes the others', async () => {
    await server.restore(
      'restore-data?collection=c',
      `${lineOf1('k', '5', { a: 1 })}\n${lineOf1('l', '6', { a: 1 })}`,
    );
    const unique = { id: '990031', type: 'hash', unique: true, fields: ['a'] };
    for (const [headers, status] of [
      [{}, 500],
      [OF_3, 409],
    ] as const) {
      const answer = await server.restore(
        'restore-indexes',
        backup({ name: 'c' }, [unique, HASH]),
        headers,
      );
      expectError(answer, status, 1210);
      expect(answer.json['errorMessage']).toMatch(/^index 990031: unique constraint violated/);
      expect(server.database.get('c').indexDefinitions).toEqual([HASH]);
    }
    await restoreIndexes([unique, HASH], '?force=yes');
  });

  test('refuses what a running applier replicates: 403/1004', async () => {
    server.database.writeGuard = () => true;
    for (const headers of [{}, OF_3]) {
      expectError(
        await server.restore('restore-indexes', backup({ name: 'c' }, [HASH]), headers),
        403,
        1004,
      );
    }
    server.database.writeGuard = undefined;
  });
});
