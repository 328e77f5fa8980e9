import { Level } from 'level';
import { expect, test, vi } from 'vitest';
import { connect, openServer } from '../../src/index.ts';

/** As a disk does that is full for a moment. */
function failNextBatch(reason: string): void {
  vi.spyOn(Level.prototype, 'batch').mockImplementationOnce(() => {
    throw new Error(reason);
  });
}

test.each([
  ['No space left on device', 507, 1104],
  ['Input/output error', 500, 4],
])(
  'a server whose store fails with "%s" answers %i, can be read, and takes writes again by itself',
  async (reason, status, errorNum) => {
    await using server = await openServer();
    const client = connect(server.url);
    try {
      const database = client.use('_system');
      const collection = await database.createCollection('c');
      await collection.insert({ _key: 'before' });
      failNextBatch(`IO error: ${reason}`);
      const failed = collection.insert({ _key: 'failed' });
      await expect(failed).rejects.toMatchObject({ status, errorNum });
      const refused = collection.insert({ _key: 'refused' });
      await expect(refused).rejects.toMatchObject({ status, errorNum });
      expect(await collection.get('before')).toMatchObject({ _key: 'before' });
      const { state } = await database.logger.state();
      expect(state.storage?.writesRefused).toMatchObject({ errorNum });
      await vi.waitFor(() => collection.insert({ _key: 'after' }), {
        timeout: 10_000,
        interval: 50,
      });
      expect(await collection.count()).toBe(2);
      expect((await database.logger.state()).state.storage).toBeUndefined();
    } finally {
      await client.close();
    }
  },
);

test('a server whose store has failed can be stopped', async () => {
  const server = await openServer();
  const client = connect(server.url);
  failNextBatch('IO error: No space left on device');
  await expect(client.use('_system').createCollection('c')).rejects.toMatchObject({ status: 507 });
  await client.close();
  await server.stop();
});
