import { describe, expect, test, vi } from 'vitest';
import { deferred } from '../../src/base/deferred.ts';
import { VerifyProgress } from '../../src/cli/verify-progress.ts';
import { CollectingStream, runCli } from '../support/cli-run.ts';
import {
  command,
  refusal,
  type Script,
  type ScriptedRequest,
  startScriptedServer,
} from '../support/scripted-server.ts';

interface Collection {
  readonly lines: readonly string[];
  readonly count?: number;
  readonly bytes?: number;
  readonly checksum?: unknown;
  readonly parameters?: object;
  readonly indexes?: readonly object[];
}

interface Scene {
  readonly collections: Readonly<Record<string, Collection>>;
  /** Whether it claims to be of our kind. */
  readonly isTicklog?: boolean;
  readonly serverId?: string;
}

/** A server of another kind, or one that pretends to be of ours, by the lines of its dumps. */
function scriptOf({ collections, isTicklog = false, serverId = '17' }: Scene): Script {
  const server = { version: '1.4.3', serverId };
  const batch = `${command('batch')}/5`;
  return {
    [`GET ${command('logger-state')}`]: () => ({
      body: {
        state: { running: true, lastLogTick: '900' },
        server: { ...server, ...(isTicklog ? { incarnations: [] } : {}) },
      },
    }),
    [`GET ${command('inventory')}`]: () => ({
      body: {
        collections: Object.entries(collections).map(
          ([name, { parameters, indexes = [], count, bytes }], i) => ({
            parameters: { name, type: 2, cid: `${100 + i}`, ...parameters },
            indexes,
            ...(isTicklog && count !== undefined ? { ticklog: { count, bytes } } : {}),
          }),
        ),
        state: { running: true, lastLogTick: '900' },
        tick: '901',
      },
    }),
    [`POST ${command('batch')}`]: () => ({ body: { id: '5' } }),
    [`DELETE ${batch}`]: () => ({ status: 204 }),
    [`GET ${command('dump')}`]: (request) => dump(collections, request),
    ...Object.fromEntries<Script[string]>(
      Object.entries(collections).flatMap(([name, { lines, count, checksum }]) => [
        [
          `GET /_db/_system/_api/collection/${name}/count`,
          () => ({ body: { count: count ?? lines.length } }),
        ],
        [`GET /_db/_system/_api/collection/${name}/checksum`, () => ({ body: { checksum } })],
      ]),
    ),
  };
}

/** One line a page, none above `to`; ticks are counted from 1. */
function dump(collections: Scene['collections'], { query }: ScriptedRequest) {
  expect(query.get('to')).toBe('901');
  const { lines = [] } = collections[query.get('collection') ?? ''] ?? {};
  const next = Number(query.get('from')) + 1;
  const body = lines[next - 1];
  return {
    status: body === undefined ? 204 : 200,
    headers: {
      'x-arango-replication-checkmore': String(next < lines.length),
      'x-arango-replication-lastincluded': String(body === undefined ? 0 : next),
    },
    ...(body === undefined ? {} : { body: `{"tick":"${next}",${body}\n` }),
  };
}

const doc = (key: string, rev: string, value: string): string =>
  `"type":2300,"key":"${key}","rev":"${rev}","data":{"_key":"${key}","_rev":"${rev}","v":${value}}}`;
const removal = (key: string): string => `"type":2302,"key":"${key}","rev":"99"}`;

async function verify(a: Scene, b: Scene, ...flags: readonly string[]) {
  await using serverA = await startScriptedServer(scriptOf(a));
  await using serverB = await startScriptedServer(scriptOf({ serverId: '18', ...b }));
  const result = await runCli(['verify', serverA.endpoint, serverB.endpoint, ...flags]);
  return { ...result, requests: [...serverA.requests, ...serverB.requests] };
}

describe('servers of different kinds', () => {
  test('are compared by what they have, not by checksums that mean nothing to each other', async () => {
    const { code, stdout, stderr, requests } = await verify(
      { collections: { c: { lines: [doc('x', '1', '"é"')] } } },
      { collections: { c: { lines: [doc('x', '1', '"\\u00e9"')] } }, isTicklog: true },
    );
    expect(code).toBe(0);
    expect(stdout).toMatch(/\nc: equal, 1 document\nequal: 1 collection, 1 document\n$/);
    expect(stderr).toBe('ticklog: one of the servers is of another kind: comparing key by key\n');
    expect(requests.some(({ path }) => path.endsWith('/checksum'))).toBe(false);
  });

  test('a document that differs is found although the counts are the same', async () => {
    const { code, stdout } = await verify(
      { collections: { c: { lines: [doc('x', '1', '1'), doc('y', '2', '1')] } } },
      { collections: { c: { lines: [doc('x', '1', '1'), doc('y', '2', '2')] } } },
    );
    expect(code).toBe(3);
    expect(stdout).toContain('c: DIFFERENT\n  documents differ\n  key y: contents differ\n');
  });

  test('history and removals do not matter, what is left of them does', async () => {
    const { code } = await verify(
      {
        collections: {
          c: { lines: [doc('y', '1', '1'), doc('x', '2', '2'), removal('y')], count: 1 },
        },
      },
      { collections: { c: { lines: [doc('x', '2', '2')] } } },
    );
    expect(code).toBe(0);
  });
});

test('batches keep both servers from compacting during the search, and are ended', async () => {
  const { requests } = await verify(
    { collections: { c: { lines: [doc('x', '1', '1')] } }, isTicklog: true },
    { collections: { c: { lines: [] } }, isTicklog: true },
  );
  const ofBatches = requests.filter(({ path }) => path.includes('/batch'));
  expect(ofBatches.map(({ method }) => method).sort()).toEqual([
    'DELETE',
    'DELETE',
    'POST',
    'POST',
  ]);
});

test('counts that differ make a checksum needless', async () => {
  const { code, stdout, requests } = await verify(
    { collections: { c: { lines: [doc('x', '1', '1')] } }, isTicklog: true },
    { collections: { c: { lines: [] } }, isTicklog: true },
  );
  expect(code).toBe(3);
  expect(stdout).toContain('c: DIFFERENT\n  1 document on A, 0 on B\n  key x: only on A\n');
  expect(requests.some(({ path }) => path.endsWith('/checksum'))).toBe(false);
});

test('checksums that differ without a document that does are a difference, too', async () => {
  const lines = [doc('x', '1', '1')];
  const { code, stdout } = await verify(
    { collections: { c: { lines, checksum: 1 } }, isTicklog: true },
    { collections: { c: { lines, checksum: '2' } }, isTicklog: true },
  );
  expect(code).toBe(3);
  expect(stdout).toContain('  the checksum is 1 on A, 2 on B\n  no document differs now');
});

test('at most ten keys of a collection are named', async () => {
  const lines = Array.from({ length: 25 }, (_, i) => doc(`k${i}`, '1', '1'));
  const { stdout } = await verify(
    { collections: { c: { lines } } },
    { collections: { c: { lines: [] } } },
  );
  expect(stdout.match(/ {2}key k\d+: only on A\n/g)).toHaveLength(10);
  expect(stdout).toContain('  the search ended here\n');
});

test('default key options are the same, given or not; what a server observes is left out', async () => {
  const lines: string[] = [];
  const index = { id: '7', type: 'hash', unique: false, fields: ['a'] };
  const { code, stdout } = await verify(
    { collections: { c: { lines, indexes: [{ ...index, selectivityEstimate: 0.5 }] } } },
    {
      collections: {
        c: {
          lines,
          indexes: [index],
          parameters: { keyOptions: { type: 'traditional', allowUserKeys: true } },
        },
      },
    },
  );
  expect(code, stdout).toBe(0);
});

test('a different collection type is a difference', async () => {
  const { code, stdout } = await verify(
    { collections: { c: { lines: [] } } },
    { collections: { c: { lines: [], parameters: { type: 3 } } } },
  );
  expect(code).toBe(3);
  expect(stdout).toContain('  type is 2 on A, 3 on B\n');
});

test('what only B has is a difference that a sync leaves, and that is said', async () => {
  const c = { lines: [doc('x', '1', '1')] };
  const { code, stdout } = await verify(
    { collections: { c } },
    { collections: { c, old: { lines: [], count: 0 }, older: { lines: [], count: 0 } } },
  );
  expect(code).toBe(3);
  expect(stdout).toMatch(
    /\ndifferent: old, older \(of 3 collections\)\nonly B has old, older, .* keeps what only B has\n$/,
  );
  const more = await verify(
    { collections: { c, mine: { lines: [], count: 0 } } },
    { collections: { c, old: { lines: [], count: 0 } } },
  );
  expect(more.code).toBe(3);
  expect(more.stdout).toMatch(/\ndifferent: mine, old \(of 3 collections\)\n$/);
});

test('servers of another kind with the same id count as one, of which nothing is proved', async () => {
  const { code, stderr } = await verify({ collections: {} }, { collections: {}, serverId: '17' });
  expect(code).toBe(2);
  expect(stderr).toMatch(/^ticklog: A and B have the same server id, 17: they are one server/);
});

test('a collection that is dropped meanwhile is a difference, not a failure', async () => {
  const scene = { collections: { c: { lines: [] } }, isTicklog: true };
  await using a = await startScriptedServer(scriptOf(scene));
  await using b = await startScriptedServer({
    ...scriptOf({ ...scene, serverId: '18' }),
    'GET /_db/_system/_api/collection/c/count': () => refusal(404, 1203, 'collection not found'),
  });
  const { code, stdout } = await runCli(['verify', a.endpoint, b.endpoint]);
  expect(code).toBe(3);
  expect(stdout).toContain('c: DIFFERENT\n  the collection was dropped while it was compared\n');
});

test('--database and --include-system-collections reach both servers', async () => {
  const script = (serverId: string): Script =>
    Object.fromEntries(
      Object.entries(scriptOf({ collections: {}, serverId })).map(([route, handler]) => {
        return [route.replace('/_db/_system/', '/_db/shop/'), handler];
      }),
    );
  await using a = await startScriptedServer(script('17'));
  await using b = await startScriptedServer(script('18'));
  const { code, stdout } = await runCli([
    ...['verify', a.endpoint, b.endpoint, '--database', 'shop'],
    ...['--include-system-collections', 'false'],
  ]);
  expect(code, stdout).toBe(0);
  for (const server of [a, b]) {
    const inventory = server.requests.find(({ path }) => path.endsWith('/inventory'));
    expect(inventory?.query.get('includeSystem')).toBe('false');
  }
});

const WORKS = '/_db/_system/_api/collection/c';

test('how much of a large collection is compared, and how fast, is shown while both sum it up', async () => {
  const gate = deferred<undefined>();
  const scene = {
    isTicklog: true,
    collections: {
      c: { lines: [], count: 400, bytes: 4096 },
      d: { lines: [], count: 600, bytes: 4096, checksum: 1 },
    },
  };
  const summing = (done: () => number): Script => ({
    [`GET ${WORKS}/checksum`]: async () => {
      await gate.promise;
      return { body: { checksum: 5 } };
    },
    [`GET ${WORKS}/works`]: () => ({
      body: { works: [{ kind: 'checksum', documentsDone: done(), documentsExpected: 400 }] },
    }),
  });
  await using a = await startScriptedServer({ ...scriptOf(scene), ...summing(() => 300) });
  let onB = 0;
  await using b = await startScriptedServer({
    ...{ ...scriptOf({ ...scene, serverId: '18' }), ...summing(() => Math.min(200, (onB += 100))) },
  });
  const stderr = new CollectingStream();
  const running = runCli(['verify', a.endpoint, b.endpoint], { isErrTty: true, stderr });
  // The one that is slower counts, of a collection and of all.
  await vi.waitFor(() => expect(stderr.text).toContain('200 of 1.00 k documents'), 10_000);
  expect(stderr.text).toContain(' 25 %  ');
  expect(stderr.text).toMatch(/[0-9]+ m?s left, [0-9.]+ (?:B|KiB)\/s, [0-9.]+\/s, 200 of 1\.00 k/);
  expect(stderr.text).toContain('200 of 400 documents, 2.00 KiB of 4.00 KiB');
  expect(stderr.text).toContain('2.00 KiB of 8.00 KiB, 0/2 collections');
  gate.resolve(undefined);
  expect(await running).toMatchObject({ code: 0 });
});

test('how much is looked at is shown while it is searched for what differs', async () => {
  const gate = deferred<undefined>();
  const scene = { isTicklog: true, collections: { c: { lines: [], count: 400 } } };
  const keys = command('keys');
  const searching = (checksum: number, documentsDone: number): Script => ({
    [`GET ${WORKS}/checksum`]: () => ({ body: { checksum } }),
    [`GET ${WORKS}/works`]: () => ({
      body: { works: [{ kind: 'search', documentsDone, documentsExpected: 400 }] },
    }),
    [`POST ${keys}`]: () => ({ body: { id: '9', count: 400 } }),
    [`DELETE ${keys}/9`]: () => ({ body: {} }),
    [`PUT ${keys}/9`]: async ({ query }) => {
      await gate.promise;
      if (query.get('type') === 'states') return { body: [['k', String(checksum), checksum]] };
      return { body: [[400, checksum], ...Array.from({ length: 15 }, () => [0, 0])] };
    },
  });
  await using a = await startScriptedServer({ ...scriptOf(scene), ...searching(1, 300) });
  await using b = await startScriptedServer({
    ...{ ...scriptOf({ ...scene, serverId: '18' }), ...searching(2, 100) },
  });
  const stderr = new CollectingStream();
  const running = runCli(['verify', a.endpoint, b.endpoint], { isErrTty: true, stderr });
  await vi.waitFor(() => expect(stderr.text).toMatch(/searching .* 25 %/), 10_000);
  expect(stderr.text).toContain('100 of 400 documents');
  gate.resolve(undefined);
  const { code, stdout } = await running;
  expect(code).toBe(3);
  expect(stdout).toContain('  key k: revisions differ: 1 on A, 2 on B\n');
});

test('how many documents are read is shown where servers are compared by their dumps', async () => {
  const gate = deferred<undefined>();
  const lines = ['x', 'y', 'z', 'w'].map((key) => doc(key, '1', '1'));
  const slow = (scene: Scene): Script => {
    const script = scriptOf(scene);
    const path = `GET ${command('dump')}`;
    const pages = script[path];
    return {
      ...script,
      [path]: async (request) => {
        if (request.query.get('from') === '2') await gate.promise;
        return pages?.(request) ?? { status: 204 };
      },
    };
  };
  const scene = { collections: { c: { lines } } };
  await using a = await startScriptedServer(slow(scene));
  await using b = await startScriptedServer(slow({ ...scene, serverId: '18' }));
  const stderr = new CollectingStream();
  const running = runCli(['verify', a.endpoint, b.endpoint], { isErrTty: true, stderr });
  await vi.waitFor(() => expect(stderr.text).toContain('2 of 4 documents, '), 10_000);
  gate.resolve(undefined);
  expect(await running).toMatchObject({ code: 0 });
});

test('on no terminal a line tells it every few seconds', () => {
  vi.useFakeTimers();
  try {
    const stderr = new CollectingStream();
    const io = { stdout: new CollectingStream(), stderr, isTty: false, isErrTty: false };
    using progress = new VerifyProgress({ ...io, useColor: false, isJson: false }, true);
    const MIB = 1024 * 1024;
    progress.plan('comparing', [
      { name: 'c', documents: 1000, bytes: 10 * MIB },
      { name: 'd', documents: 3000, bytes: 30 * MIB },
    ]);
    progress.read({ documentsDone: 500, documentsExpected: 1000 });
    vi.advanceTimersByTime(5000);
    expect(stderr.text).toBe(
      'ticklog: comparing (12 %): 35 s left, 1.00 MiB/s, 100/s, 0 of 2 collections, 500 of 4.00 k ' +
        'documents, 5.00 MiB of 40.0 MiB; in work: c (50 %)\n',
    );
  } finally {
    vi.useRealTimers();
  }
});
