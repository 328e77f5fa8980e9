import { type EventEmitter, once } from 'node:events';
import { createRequire } from 'node:module';
import { expect, onTestFinished, test } from 'vitest';
import { connect, type DatabaseClient, type OpenServer, openServer } from '../../src/index.ts';

/** What the package has; it comes without types. */
interface Chair extends EventEmitter {
  subscribe(what: string | { collection: string; events?: string[] }): void;
  start(): void;
  stop(): void;
}

const ArangoChair = createRequire(import.meta.url)('arangochair') as new (url: string) => Chair;

type Seen = [type: string, document: Record<string, unknown>];

async function open(options = {}): Promise<{ server: OpenServer; db: DatabaseClient }> {
  const server = await openServer({ compatibleVersion: '3.0.3', ...options });
  onTestFinished(() => server.stop());
  const client = connect(server.url);
  onTestFinished(() => client.close());
  await client.databases.create('shop');
  return { server, db: client.use('shop') };
}

/** Listens from now on; it has asked for its place when this resolves. */
async function listen(
  server: OpenServer,
  what: Parameters<Chair['subscribe']>[0],
  db: DatabaseClient,
): Promise<Seen[]> {
  const chair = new ArangoChair(`${server.url}/shop`);
  onTestFinished(() => chair.stop());
  const seen: Seen[] = [];
  chair.subscribe(what);
  const name = typeof what === 'string' ? what : what.collection;
  chair.on(name, (document: Buffer, type: string) => {
    seen.push([type, JSON.parse(document.toString()) as Record<string, unknown>]);
  });
  const failed = once(chair, 'error').then(([error]) => Promise.reject(error as Error));
  failed.catch(() => undefined);
  chair.start();
  // It does not say when it has read where the log ends: what is shown first tells.
  const probe = db.collection(name);
  for (let i = 0; seen.length === 0 && i < 200; i++) {
    await probe.insert({ probe: i });
    await Promise.race([failed, new Promise((resolve) => setTimeout(resolve, 20))]);
  }
  return seen;
}

const keysOf = (seen: readonly Seen[]): unknown[] =>
  seen.flatMap(([type, { _key, probe }]) => (probe === undefined ? [[type, _key]] : []));

test('the reader arangochair is told of inserts, updates and removals, with the documents', async () => {
  const { server, db } = await open();
  const users = await db.createCollection('users');
  const others = await db.createCollection('others');
  const seen = await listen(server, 'users', db);
  await users.insert({ _key: 'ada', name: 'Ada', tags: ['é', '"x",'] });
  await others.insert({ _key: 'nobody' });
  await users.update('ada', { age: 36 });
  await users.replace('ada', { name: 'A' });
  await users.remove('ada');
  await expect
    .poll(() => keysOf(seen))
    .toEqual([
      ...['insert/update', 'insert/update', 'insert/update'].map((type) => [type, 'ada']),
      ['delete', 'ada'],
    ]);
  const documents = seen.flatMap(([, each]) => ('probe' in each ? [] : [each]));
  expect(documents).toMatchObject([
    { _id: 'users/ada', name: 'Ada', tags: ['é', '"x",'] },
    { name: 'Ada', age: 36 },
    { name: 'A' },
    { _key: 'ada' },
  ]);
  expect(documents[2]).not.toHaveProperty('age');
});

test('it shows a transaction as a whole, and what an array wrote, once', async () => {
  const { server, db } = await open();
  const users = await db.createCollection('users');
  const seen = await listen(server, 'users', db);
  await db.transaction({ write: ['users'] }, async (transaction) => {
    await transaction.collection('users').insert({ _key: 'a' });
    await transaction.collection('users').insert({ _key: 'b' });
  });
  await users.insertMany([{ _key: 'c' }, { _key: 'd' }]);
  await expect
    .poll(() => keysOf(seen).map((each) => (each as string[])[1]))
    .toEqual([...['a', 'b', 'c', 'd']]);
});

test('it may be told of removals only', async () => {
  const { server, db } = await open();
  const users = await db.createCollection('users');
  await users.insert({ _key: 'a' });
  const chair = new ArangoChair(`${server.url}/shop`);
  onTestFinished(() => chair.stop());
  chair.subscribe({ collection: 'users', events: ['delete'] });
  const seen: string[] = [];
  chair.on('users', (_, type: string) => seen.push(type));
  chair.start();
  await expect
    .poll(async () => {
      const { _key } = await users.insert({});
      await users.remove(_key);
      return seen.length;
    })
    .toBeGreaterThan(1);
  expect(new Set(seen)).toEqual(new Set(['delete']));
});
