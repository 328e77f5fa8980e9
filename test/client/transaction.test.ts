import { expect, test } from 'vitest';
import { connect, MarkerType, openServer } from '../../src/index.ts';
import '../support/check-client-answers.ts';
import { refusal, startScriptedServer } from '../support/scripted-server.ts';

const BASE = '/_db/_system/_api';
const RUNNING = { status: 201, body: { result: { id: '77', status: 'running' }, error: false } };
const COMMITTED = { body: { result: { id: '77', status: 'committed' } } };
const WRITTEN = { status: 202, body: { _id: 'a/k', _key: 'k', _rev: '1' } };

test('what is written in a transaction becomes visible at once, as one group of the log', async () => {
  await using server = await openServer();
  await using client = connect(server.url);
  const db = client.use();
  const [a, b] = [await db.createCollection('a'), await db.createCollection('b')];
  const from = (await db.logger.state()).state.lastLogTick;
  const id = await db.transaction(['a', 'b'], async (trx) => {
    await trx.collection('a').insert({ _key: 'x', qty: 1 });
    await trx.collection('b').insert({ _key: 'y', qty: 2 });
    expect(await trx.collection('a').get('x')).toMatchObject({ qty: 1 });
    expect(await a.find('x')).toBeUndefined();
    return trx.id;
  });
  expect([await a.count(), await b.count()]).toEqual([1, 1]);
  const entries = [];
  for await (const entry of db.log({ from, wait: false })) entries.push(entry);
  const { transactionStart, document, transactionCommit } = MarkerType;
  expect(entries.map(({ type }) => type)).toEqual([
    ...[transactionStart, document, document, transactionCommit],
  ]);
  expect(id).toMatch(/^[0-9]+$/);
});

test('of a transaction whose work fails nothing is left', async () => {
  await using server = await openServer();
  await using client = connect(server.url);
  const db = client.use();
  const a = await db.createCollection('a');
  await a.insert({ _key: 'taken' });
  const failing = db.transaction(['a'], async (trx) => {
    await trx.collection('a').insert({ _key: 'x' });
    await trx.collection('a').insert({ _key: 'taken' });
  });
  await expect(failing).rejects.toMatchObject({ errorNum: 1210 });
  expect(await a.count()).toBe(1);
  // Nothing holds the collection any more.
  await a.insert({ _key: 'free' });
});

test('a transaction that nobody uses ends after the time that the options give in ms', async () => {
  await using server = await openServer({ streamingIdleTimeoutMs: 1000 });
  await using client = connect(server.url);
  const db = client.use();
  await db.createCollection('a');
  const idle = db.transaction(['a'], async (trx) => {
    await new Promise((resolve) => setTimeout(resolve, 2500));
    await trx.collection('a').insert({ _key: 'late' });
  });
  await expect(idle).rejects.toBeInstanceOf(Error);
  expect(await db.collection('a').count()).toBe(0);
});

test('what is written in a transaction carries its id, and is committed at the end', async () => {
  await using server = await startScriptedServer({
    [`POST ${BASE}/transaction/begin`]: () => RUNNING,
    [`POST ${BASE}/document/a`]: () => WRITTEN,
    [`PUT ${BASE}/transaction/77`]: () => COMMITTED,
  });
  await using client = connect(server.endpoint);
  const key = await client
    .use()
    .transaction(['a'], async (trx) => (await trx.collection('a').insert({ qty: 1 }))._key, {
      waitForSync: true,
    });
  expect(key).toBe('k');
  const [begin, insert, commit] = server.requests;
  expect(JSON.parse(begin?.body ?? '')).toEqual({
    collections: { write: ['a'] },
    waitForSync: true,
  });
  expect(insert?.headers['x-arango-trx-id']).toBe('77');
  expect(commit?.method).toBe('PUT');
});

test('a transaction whose work fails is aborted, and the error of the work is told', async () => {
  await using server = await startScriptedServer({
    [`POST ${BASE}/transaction/begin`]: () => RUNNING,
    [`DELETE ${BASE}/transaction/77`]: () => ({
      body: { result: { id: '77', status: 'aborted' } },
    }),
  });
  await using client = connect(server.endpoint);
  const abort = new AbortController();
  const reason = new Error('enough');
  const work = (): Promise<never> => {
    abort.abort(reason);
    return Promise.reject(reason);
  };
  const { signal } = abort;
  await expect(client.use().transaction({ read: ['b'] }, work, { signal })).rejects.toBe(reason);
  expect(server.requests.map(({ method }) => method)).toEqual(['POST', 'DELETE']);
});

test('when neither the work nor its abort succeeds both errors are told', async () => {
  await using server = await startScriptedServer({
    [`POST ${BASE}/transaction/begin`]: () => RUNNING,
    [`DELETE ${BASE}/transaction/77`]: () => refusal(404, 1655, 'transaction not found'),
  });
  await using client = connect(server.endpoint);
  const failing = client.use().transaction(['a'], () => Promise.reject(new Error('no luck')));
  await expect(failing).rejects.toMatchObject({
    name: 'AggregateError',
    errors: [new Error('no luck'), { errorNum: 1655 }],
  });
});
