import { expect } from 'vitest';
import type { Collection } from '../../src/documents/collection.ts';
import type { Database } from '../../src/documents/database.ts';
import { dataOfLine, documentOfLine } from '../../src/documents/stored-document.ts';
import { MarkerType } from '../../src/model/marker.ts';
import { Space, metaKey, numberRange, primaryKeyDocument } from '../../src/storage/keys.ts';
import type { WriteTx } from '../../src/storage/write-tx.ts';
import { type Documents, expectSame, replay } from './journal-model.ts';
import { type LogLine, logLines } from './log-lines.ts';
import type { Acknowledged } from './op-stream.ts';
import type { OpenCore } from './store.ts';

/** What a log makes of a collection. */
export interface Replayed {
  name: string;
  parameters: Record<string, unknown>;
  readonly indexes: Map<string, unknown>;
  readonly documents: Documents;
}

/**
 * Checks that everything stored says the same (P1, rule 11): for each database whose logger has run from the
 * start, its log replayed from 0 gives its collections; and for each collection the journal, the pointers, the
 * indexes and the figures agree with one another.
 */
export async function verifyCore(core: OpenCore): Promise<void> {
  for (const database of core.catalogue.databases) {
    const lines = await logLines(database.changelog);
    expectLogExact(database, lines);
    const replayed = replayLog(lines);
    const actual = database.collections.map(({ cid, name }) => `${cid} ${name}`);
    const logged = [...replayed].map(([cid, { name }]) => `${cid} ${name}`);
    expect(actual.sort(), `collections of ${database.name}`).toEqual(logged.sort());
    for (const collection of database.collections) {
      const expected = replayed.get(collection.cid);
      expect(expected).toBeDefined();
      if (expected) await verifyCollection(core, collection, expected);
    }
  }
}

/** Checks that nothing that was answered is missing from the logs. */
export async function verifyAcknowledged(
  core: OpenCore,
  acknowledged: readonly Acknowledged[],
): Promise<void> {
  for (const database of core.catalogue.databases) {
    const present = new Set<string>();
    for (const line of await logLines(database.changelog)) {
      const { type, rev, cid, id, index } = line as LogLine & {
        id?: string;
        index?: { id: string };
      };
      if (rev !== undefined) present.add(`rev ${rev}`);
      else present.add(`${type} ${id ?? index?.id ?? cid ?? ''}`);
    }
    const missing = acknowledged.filter(
      ({ database: name, type, rev, cid, id }) =>
        name === database.name &&
        !present.has(rev === undefined ? `${type} ${id ?? cid ?? ''}` : `rev ${rev}`),
    );
    expect(missing.slice(0, 5), `missing in ${database.name}`).toEqual([]);
  }
}

/** Checks that no data is left of collections, indexes and databases that are gone; erasure must have ended. */
export async function expectNoLeftovers(core: OpenCore): Promise<void> {
  const collections = core.catalogue.databases.flatMap((each) => each.collections);
  const numbers = new Map<number, ReadonlySet<number>>([
    [Space.journal, new Set(collections.map(({ number }) => number))],
    [Space.primary, new Set(collections.map(({ number }) => number))],
    [
      Space.secondary,
      new Set(collections.flatMap((each) => each.record.indexes.map((i) => i.number))),
    ],
    [Space.changelog, new Set(core.catalogue.databases.map(({ number }) => number))],
    // Of views, nothing at all.
    [Space.view, new Set()],
  ]);
  const leftovers = new Set<string>();
  for (const [space, known] of numbers) {
    const range = { gte: Buffer.from([space]), lt: Buffer.from([space + 1]) };
    for await (const key of core.store.level.keys(range)) {
      const number = key.readUInt32BE(1);
      if (!known.has(number)) leftovers.add(`${String.fromCharCode(space)} ${number}`);
    }
  }
  expect([...leftovers]).toEqual([]);
}

/** Whether ranges wait to be erased. */
export async function erasurePending(core: OpenCore): Promise<boolean> {
  const start = metaKey('e');
  const keys = core.store.level.keys({ gte: start, lt: Buffer.from([start[0]!, start[1]! + 1]) });
  return (await keys.all()).length > 0;
}

function expectLogExact(database: Database, lines: readonly LogLine[]): void {
  const { state } = database.changelog;
  const bytes = lines.reduce((sum, { text }) => sum + Buffer.byteLength(text) + 1, 0);
  expect(state, `log of ${database.name}`).toMatchObject({
    events: lines.length,
    bytes,
    firstTick: lines[0]?.tick ?? 0n,
    lastTick: lines.at(-1)?.tick ?? 0n,
  });
  let open: string | undefined;
  let operations = 0;
  lines.forEach((line, i) => {
    expect(i === 0 || line.tick > lines[i - 1]!.tick).toBe(true);
    // P4: a transaction is whole, and nothing stands between its lines.
    expect(line.type === MarkerType.transactionStart ? open : line.tid).toBe(open);
    if (line.type === MarkerType.transactionStart) {
      open = line.tid;
      operations = 0;
    } else if (line.type === MarkerType.transactionCommit) {
      const counts = line['collections'] as { operations: number }[];
      expect(counts.reduce((sum, each) => sum + each.operations, 0)).toBe(operations);
      open = undefined;
    } else {
      operations++;
    }
  });
  expect(open).toBeUndefined();
}

function replayLog(lines: readonly LogLine[]): Map<string, Replayed> {
  const collections = new Map<string, Replayed>();
  for (const line of lines) {
    const cid = line.cid ?? '';
    const collection = collections.get(cid);
    const wire = line['collection'] as (Record<string, unknown> & { name: string }) | undefined;
    switch (line.type) {
      case MarkerType.collectionCreate:
        expect(collection).toBeUndefined();
        collections.set(cid, {
          name: wire!.name,
          parameters: wire!,
          indexes: new Map(),
          documents: new Map(),
        });
        break;
      case MarkerType.collectionDrop:
        collections.delete(cid);
        break;
      case MarkerType.collectionRename:
        collection!.name = wire!.name;
        break;
      case MarkerType.collectionChange:
        collection!.parameters = wire!;
        break;
      case MarkerType.indexCreate: {
        const index = line['index'] as { id: string };
        collection!.indexes.set(index.id, index);
        break;
      }
      case MarkerType.indexDrop:
        collection!.indexes.delete(line['id'] as string);
        break;
      case MarkerType.document:
      case MarkerType.edge:
        expectOldRev(line, collection!.documents);
        collection!.documents.set(line.key!, dataOfLine(line.text));
        break;
      case MarkerType.remove:
        expectOldRev(line, collection!.documents);
        expect(collection!.documents.delete(line.key!)).toBe(true);
        break;
    }
  }
  return collections;
}

/** A line names the revision it replaces, and names one only if it replaces something. */
function expectOldRev(line: LogLine, documents: Documents): void {
  const old = documents.get(line.key!);
  const rev = old === undefined ? undefined : (JSON.parse(old) as { _rev: string })._rev;
  if (line.oldRev !== rev) expect(line.oldRev, line.text).toBe(rev);
}

/** Checks journal, pointers, indexes and figures of a collection against what a log makes of it. */
export async function verifyCollection(
  core: OpenCore,
  collection: Collection,
  expected: Replayed,
): Promise<void> {
  const { store } = core;
  const what = `${collection.name} (${collection.number})`;
  expect(collection.parameters.maximalSize).toBe(expected.parameters['maximalSize']);
  const indexes = new Map(collection.indexDefinitions.map((each) => [each.id, each]));
  expect(indexes, `indexes of ${what}`).toEqual(expected.indexes);

  const journal: Documents = new Map();
  const { entries, bytes } = await replay(store, collection, journal);
  expectSame(journal, expected.documents, `journal against log of ${what}`);

  const read: Documents = new Map();
  const { start, end } = numberRange(Space.primary, collection.number);
  for await (const primary of store.level.keys({ gte: start, lt: end })) {
    const key = primaryKeyDocument(primary);
    const found = store.readLine(collection.number, key);
    if (found) read.set(key, dataOfLine(found.line));
  }
  expectSame(read, expected.documents, `reads against log of ${what}`);

  const { stats } = collection;
  expect(
    { count: stats.count, entries: stats.entries, dead: stats.dead, bytes: stats.bytes },
    `figures of ${what}`,
  ).toEqual({ count: read.size, entries, dead: entries - read.size, bytes });
  await verifyIndexes(core, collection, expected.documents);
  await verifyCaps(core, collection);
}

/** The entries of each index are exactly those its documents call for. */
async function verifyIndexes(
  core: OpenCore,
  collection: Collection,
  documents: Documents,
): Promise<void> {
  for (const index of collection.indexes) {
    const expected = new Map<string, string>();
    const recorder = {
      put: (key: Buffer, value: Buffer) => void expected.set(key.toString('hex'), value.toString()),
    } as unknown as WriteTx;
    for (const [key, data] of documents) {
      index.insert(recorder, documentOfLine(`{"x":1,"data":${data}}`), key);
    }
    const { start, end } = numberRange(Space.secondary, index.number);
    const stored = await core.store.level.iterator({ gte: start, lt: end }).all();
    const actual = new Map(stored.map(([key, value]) => [key.toString('hex'), value.toString()]));
    expect(actual, `index ${index.definition.id} of ${collection.name}`).toEqual(expected);
  }
}

/** The list of each cap holds every document once, in the order of ticks, with its size. */
export async function verifyCaps(
  { store }: OpenCore,
  { number, name, record }: Collection,
): Promise<void> {
  const { start: first, end: last } = numberRange(Space.primary, number);
  const primaries = await store.level.keys({ gte: first, lt: last }).all();
  const expected = primaries
    .map((primary) => {
      const key = primaryKeyDocument(primary);
      const { pointer, line } = store.readLine(number, key)!;
      return { tick: pointer.tick, key, bytes: Buffer.byteLength(dataOfLine(line)) };
    })
    .sort((a, b) => (a.tick < b.tick ? -1 : 1));
  for (const cap of record.indexes.filter(({ definition }) => definition.type === 'cap')) {
    const { start, end } = numberRange(Space.secondary, cap.number);
    const [ends, ...links] = await store.level.iterator({ gte: start, lt: end }).all();
    const actual = links.map(([key, value], i) => {
      const tick = key.readBigUInt64BE(5);
      // The checksum comes first.
      expect(value.readBigUInt64BE(4)).toBe(links[i - 1]?.[0].readBigUInt64BE(5) ?? 0n);
      expect(value.readBigUInt64BE(12)).toBe(links[i + 1]?.[0].readBigUInt64BE(5) ?? 0n);
      return { tick, key: value.toString('utf8', 28), bytes: value.readDoubleBE(20) };
    });
    expect(actual, `cap of ${name}`).toEqual(expected);
    const [, figures] = ends!;
    expect([figures.readBigUInt64BE(4), figures.readBigUInt64BE(12)]).toEqual([
      expected[0]?.tick ?? 0n,
      expected.at(-1)?.tick ?? 0n,
    ]);
    const bytes = expected.reduce((sum, each) => sum + each.bytes, 0);
    expect(figures.readDoubleBE(28), `bytes of the cap of ${name}`).toBe(bytes);
  }
}
