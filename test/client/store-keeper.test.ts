import { expect, test, vi } from 'vitest';
import { connect, openServer } from '../../src/index.ts';
import { StoreBatch } from '../../src/storage/store-batch.ts';
import { checkAnswer } from '../support/api-check.ts';

/** As a disk does that is full for a moment. */
function failNextBatch(reason: string): void {
  vi.spyOn(StoreBatch.prototype, 'write').mockRejectedValueOnce(new Error(reason));
}

/** What load balancers ask for. */
async function availability(
  url: string,
): Promise<{ status: number; json: Record<string, unknown> }> {
  const path = '/_admin/server/availability';
  const answer = await fetch(url + path);
  const text = await answer.text();
  const { status } = answer;
  checkAnswer('GET', path, { status, headers: Object.fromEntries(answer.headers), text });
  return { status, json: JSON.parse(text) as Record<string, unknown> };
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
      expect(await availability(server.url)).toMatchObject({ status: 200 });
      failNextBatch(`IO error: ${reason}`);
      const failed = collection.insert({ _key: 'failed' });
      await expect(failed).rejects.toMatchObject({ status, errorNum });
      const refused = collection.insert({ _key: 'refused' });
      await expect(refused).rejects.toMatchObject({ status, errorNum });
      expect(await collection.get('before')).toMatchObject({ _key: 'before' });
      const { state } = await database.logger.state();
      expect(state.storage?.writesRefused).toMatchObject({ errorNum });
      const unavailable = await availability(server.url);
      expect(unavailable).toMatchObject({ status: 503, json: { code: 503, errorNum } });
      expect(unavailable.json['errorMessage']).toContain(reason);
      await vi.waitFor(() => collection.insert({ _key: 'after' }), {
        timeout: 10_000,
        interval: 50,
      });
      expect(await collection.count()).toBe(2);
      expect(await availability(server.url)).toMatchObject({ status: 200 });
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
