import { afterEach, describe, expect, test, vi } from 'vitest';
import { watched } from '../../src/base/watch.ts';
import { deferred } from '../../src/base/deferred.ts';
import type { Collection } from '../../src/documents/collection.ts';
import { DocumentSums } from '../../src/documents/document-sums.ts';
import type { CollectionView } from '../../src/documents/collection-view.ts';
import { ViewProofs } from '../../src/documents/view-proof.ts';
import type { WorkNumbers } from '../../src/model/work-numbers.ts';
import { RunningServers } from '../support/running-servers.ts';
import { type TestServer, openTestServer } from '../support/http-server.ts';

const COUNT = 2500;

async function openFilled(): Promise<TestServer> {
  const server = await openTestServer();
  await server.request('POST', '/_api/collection', { body: { name: 'c' } });
  const lines = Array.from({ length: COUNT }, (_, i) =>
    JSON.stringify({ _key: `k${i}`, n: i, text: 'x'.repeat(100) }),
  );
  const path = '/_api/import?collection=c&type=documents';
  await server.request('POST', path, { body: lines.join('\n') });
  return server;
}

function collectionOf({ catalogue }: TestServer): Collection {
  return catalogue.get('_system').get('c');
}

/** Keeps what is written waiting from the moment when an index has its first documents. */
function holdIndex(server: TestServer): { release: () => void } {
  const gate = deferred<undefined>();
  const { store } = server;
  const { works } = collectionOf(server);
  const commit = store.commit.bind(store);
  vi.spyOn(store, 'commit').mockImplementation(async (...args: Parameters<typeof commit>) => {
    if (works.numbers.some(({ documentsDone }) => documentsDone > 0)) await gate.promise;
    return commit(...args);
  });
  return { release: () => gate.resolve(undefined) };
}

describe('what goes over a whole collection', () => {
  afterEach(() => {
    vi.restoreAllMocks();
  });

  test('shows an index that is built, in the job, at the collection and in the overview', async () => {
    await using server = await openFilled();
    const { release } = holdIndex(server);
    const accepted = await server.request('POST', '/_api/index?collection=c', {
      body: { type: 'hash', fields: ['n'] },
      headers: { 'x-arango-async': 'store' },
    });
    const id = String(accepted.headers['x-arango-async-id']);
    const read = async (path: string): Promise<unknown> =>
      (await server.request('GET', path)).json['works'];
    const work = await vi.waitFor(async () => {
      const [found] = (await read(`/_api/job/${id}/progress`)) as WorkNumbers[];
      expect(found?.documentsDone).toBeGreaterThan(0);
      return found;
    }, 10_000);
    expect(work).toMatchObject({
      ...{ kind: 'index', documentsExpected: COUNT },
      index: { type: 'hash', fields: ['n'] },
    });
    expect(work?.documentsDone).toBeLessThan(COUNT);
    expect(work?.documentsPerSecond).toBeGreaterThan(0);
    expect(work?.secondsLeft).toBeGreaterThanOrEqual(0);
    const { documentsDone } = work ?? {};
    expect(await read('/_api/collection/c/works')).toMatchObject([
      { kind: 'index', documentsDone },
    ]);
    release();
    await vi.waitFor(async () => {
      const { json } = await server.request('GET', `/_api/job/${id}/progress`);
      expect(json).toMatchObject({ done: true, works: [] });
    }, 10_000);
    expect(await read('/_api/collection/c/works')).toEqual([]);
  });

  test('counts the documents of a checksum, and those in an index one by one', async () => {
    await using server = await openFilled();
    const collection = collectionOf(server);
    const seen: number[] = [];
    const add = Object.getOwnPropertyDescriptor(DocumentSums.prototype, 'add');
    const original = add?.value as DocumentSums['add'];
    vi.spyOn(DocumentSums.prototype, 'add').mockImplementation(function (
      this: DocumentSums,
      ...args
    ) {
      const [work] = collection.works.numbers;
      expect(work).toMatchObject({ kind: 'checksum', documentsExpected: COUNT });
      seen.push(work?.documentsDone ?? -1);
      original.apply(this, args);
    });
    for (const query of ['', '?withData=true']) {
      seen.length = 0;
      await server.request('GET', `/_api/collection/c/checksum${query}`);
      expect(seen.length).toBe(COUNT);
      expect(seen[0]).toBe(0);
      expect(seen.at(-1)).toBeGreaterThan(COUNT / 2);
      expect(seen).toEqual([...seen].sort((a, b) => a - b));
      expect(collection.works.numbers).toEqual([]);
    }
  });

  test('is over when it fails', async () => {
    await using server = await openFilled();
    const body = { type: 'hash', fields: ['text'], unique: true };
    const refused = await server.request('POST', '/_api/index?collection=c', { body });
    expect(refused.json).toMatchObject({ errorNum: 1210 });
    expect(collectionOf(server).works.numbers).toEqual([]);
  });
});

describe('the overview', () => {
  test('names the collection of each', async () => {
    await using servers = await RunningServers.open();
    const server = await servers.start('one');
    await server.send('POST', '/_api/collection', { name: 'c' });
    const lines = Array.from({ length: 20_000 }, (_, i) => JSON.stringify({ n: i }));
    await server.send('POST', '/_api/import?collection=c&type=documents', lines.join('\n'));
    const seen: unknown[] = [];
    const look = async (): Promise<void> => {
      seen.push(...((await server.send('GET', '/_admin/overview'))['works'] as unknown[]));
    };
    const building = server.send('POST', '/_api/index?collection=c', {
      ...{ type: 'skiplist', fields: ['n'] },
    });
    await watched(building, { everyMs: 1, look });
    expect(seen[0]).toMatchObject({ kind: 'index', collection: { name: 'c' } });
    seen.length = 0;
    await look();
    expect(seen).toEqual([]);
  });
});

describe('the job of a search for what differs', () => {
  afterEach(() => {
    vi.restoreAllMocks();
  });

  test.each(['sums', 'states'] as const)('shows how far it is: %s', async (type) => {
    await using servers = await RunningServers.open();
    const server = await servers.start('one');
    await server.send('POST', '/_api/collection', { name: 'c' });
    const keys = '/_api/replication/keys';
    const { id } = await server.send('POST', `${keys}?collection=c`);
    const gate = deferred<undefined>();
    const search = async ({ collection }: CollectionView): Promise<[]> => {
      using work = collection.works.begin({ kind: 'search', documentsExpected: COUNT });
      work.add(7);
      await gate.promise;
      return [];
    };
    vi.spyOn(ViewProofs.prototype, 'sums').mockImplementation(search);
    vi.spyOn(ViewProofs.prototype, 'states').mockImplementation(async function* (view) {
      yield* await search(view);
    });
    const accepted = await fetch(`${server.url}${keys}/${String(id)}?type=${type}`, {
      ...{ method: 'PUT', body: JSON.stringify({ ranges: [[0, 2 ** 32]] }) },
      headers: { 'x-arango-async': 'store' },
    });
    const job = accepted.headers.get('x-arango-async-id') ?? '';
    await vi.waitFor(async () => {
      const { works } = await server.send('GET', `/_api/job/${job}/progress`);
      expect(works).toMatchObject([{ kind: 'search', documentsDone: 7, documentsExpected: COUNT }]);
    }, 10_000);
    gate.resolve(undefined);
  });
});
