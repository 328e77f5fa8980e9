import { afterEach, beforeEach, expect, test } from 'vitest';
import { DumpBatch } from '../../src/cli/dump-batch.ts';
import { LeaderClient } from '../../src/follower/leader-client.ts';
import { json, LeaderScript, refusal } from '../support/leader-script.ts';

let server: LeaderScript;
let client: LeaderClient;
const { signal } = new AbortController();

beforeEach(async () => {
  server = await LeaderScript.open();
  server.always('POST batch', json({ id: '900' })).always('DELETE batch', { status: 204 });
  client = new LeaderClient(
    {},
    {
      endpoint: server.endpoint,
      database: '_system',
      requestTimeoutMs: 5000,
      connectTimeoutMs: 5000,
      ownServerId: undefined,
    },
  );
});

afterEach(async () => {
  await client.close();
  await server[Symbol.asyncDispose]();
});

const open = () => DumpBatch.open(client, { ttlSeconds: 7, extendAfterMs: 20 }, signal);

/** Waits until so many requests to extend have come. */
async function extended(times: number): Promise<void> {
  while (server.seen('PUT batch').length < times) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

test('a batch is extended again and again, until it is ended', async () => {
  server.always('PUT batch', { status: 204 });
  const batch = await open();
  await extended(3);
  await batch.close(signal);
  const asked = server.seen('PUT batch').length;
  await new Promise((resolve) => setTimeout(resolve, 80));
  expect(server.seen('PUT batch')).toHaveLength(asked);
  expect(server.seen('PUT batch')[0]).toMatchObject({ command: 'batch/900', body: '{"ttl":7}' });
  expect(batch.lost.aborted).toBe(false);
});

test.each([400, 404])(
  'a batch that is not known any more (%s) is lost, at once',
  async (status) => {
    server.always('PUT batch', refusal(status, 1202, 'document not found'));
    const batch = await open();
    await new Promise((resolve) => batch.lost.addEventListener('abort', resolve, { once: true }));
    expect(String(batch.lost.reason)).toMatch(/has lost dump batch 900/);
    await expect(batch.close(signal)).rejects.toThrow(/has lost dump batch 900/);
    expect(server.seen('DELETE batch')).toHaveLength(0);
  },
);

test('a server that is away for a moment has not lost it', async () => {
  server.next('PUT batch', refusal(503, 503)).always('PUT batch', { status: 204 });
  const batch = await open();
  await extended(2);
  await batch.close(signal);
  expect(server.seen('DELETE batch')).toHaveLength(1);
});

test('a batch that was lost without anyone noticing is found out at the end', async () => {
  server.always('PUT batch', { status: 204 });
  server.always('DELETE batch', refusal(404, 1202, 'document not found'));
  const batch = await open();
  await expect(batch.close(signal)).rejects.toThrow(/dump again/);
});
