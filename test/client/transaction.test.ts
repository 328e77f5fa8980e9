import { expect, test } from 'vitest';
import { connect } from '../../src/index.ts';
import { refusal, startScriptedServer } from '../support/scripted-server.ts';

const BASE = '/_db/_system/_api';
const RUNNING = { status: 201, body: { result: { id: '77', status: 'running' }, error: false } };
const COMMITTED = { body: { result: { id: '77', status: 'committed' } } };
const WRITTEN = { status: 202, body: { _id: 'a/k', _key: 'k', _rev: '1' } };

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
