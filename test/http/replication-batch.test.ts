import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Answer, type LeaderServer, openLeaderServer } from '../support/leader-server.ts';
import { ManualClock } from '../support/manual-clock.ts';

const UNKNOWN = { error: true, errorMessage: 'document not found', code: 400, errorNum: 1202 };
const INVALID_JSON = { error: true, errorMessage: 'invalid JSON', code: 400, errorNum: 400 };
const BAD_TTL = { error: true, errorMessage: 'bad parameter', code: 400, errorNum: 10 };

let clock: ManualClock;
let server: LeaderServer;
beforeEach(async () => {
  clock = new ManualClock();
  server = await openLeaderServer({ clock });
});
afterEach(() => server[Symbol.asyncDispose]());

function batch(method: string, path: string, body?: string): Promise<Answer> {
  return server.call(method, `/_api/replication/batch${path}`, body);
}

async function open(body: string): Promise<string> {
  return (await batch('POST', '', body)).json['id'] as string;
}

function expectEmpty(answer: Answer): void {
  expect([answer.status, answer.text]).toEqual([204, '']);
  expect(answer.headers['content-type']).toBe('text/plain; charset=utf-8');
}

describe('POST batch', () => {
  test('answers a new id each time, whatever stands behind the command', async () => {
    const answer = await batch('POST', '', '{"ttl":30}');
    expect(answer.status).toBe(200);
    expect(answer.text).toMatch(/^\{"id":"\d+"\}$/);
    const second = await batch('POST', '/123', '{"ttl":30}');
    expect(second.status).toBe(200);
    expect(BigInt(second.json['id'] as string)).toBeGreaterThan(
      BigInt(answer.json['id'] as string),
    );
  });

  test.each(['{ttl', '', '{"ttl":1,"ttl":2}'])('with the body %j is 400/400', async (body) => {
    const { status, json } = await batch('POST', '', body);
    expect([status, json]).toEqual([400, INVALID_JSON]);
  });

  test.each(['{}', '[]', 'null', '{"ttl":0}', '{"ttl":-5}', '{"ttl":"30"}', '{"ttl":null}'])(
    'with %j has no time to live: 400/10',
    async (body) => {
      const { status, json } = await batch('POST', '', body);
      expect([status, json]).toEqual([400, BAD_TTL]);
      expect(server.leader.batches.horizon).toBeUndefined();
    },
  );

  test('is refused with 400/32 when a thousand are open, until one ends', async () => {
    const { batches } = server.leader;
    const ids = await Promise.all(
      Array.from({ length: 1000 }, () => batches.create(server.database, 60)),
    );
    const refused = await batch('POST', '', '{"ttl":1}');
    expect(refused.json).toMatchObject({ code: 400, errorNum: 32 });
    await batch('DELETE', `/${ids[0]!}`);
    expect((await batch('POST', '', '{"ttl":1}')).status).toBe(200);
  });
});

describe('PUT batch/<id>', () => {
  test('lets it live for the new time, counted from now', async () => {
    const id = await open('{"ttl":10}');
    clock.advance(9_000);
    expectEmpty(await batch('PUT', `/${id}`, '{"ttl":10}'));
    clock.advance(9_999);
    expectEmpty(await batch('PUT', `/${id}`, '{"ttl":0.5}'));
    clock.advance(500);
    expect((await batch('PUT', `/${id}`, '{"ttl":10}')).json).toEqual(UNKNOWN);
  });

  test('of an unknown id is 400/1202, of one of another database too', async () => {
    await server.databases.create('other');
    const id = await open('{"ttl":10}');
    for (const path of ['/4711', '/abc', `/0${id}`]) {
      const { status, json } = await batch('PUT', path, '{"ttl":60}');
      expect([status, json]).toEqual([400, UNKNOWN]);
    }
    const path = `/_db/other/_api/replication/batch/${id}`;
    expect((await server.call('PUT', path, '{"ttl":60}')).json).toEqual(UNKNOWN);
    expect((await server.call('DELETE', path)).json).toEqual(UNKNOWN);
    expectEmpty(await batch('DELETE', `/${id}`));
  });

  test('with a bad body is refused, and the batch lives on as before', async () => {
    const id = await open('{"ttl":10}');
    expect((await batch('PUT', `/${id}`, '{ttl')).json).toEqual(INVALID_JSON);
    expect((await batch('PUT', `/${id}`, '{}')).json).toEqual(BAD_TTL);
    expect((await batch('PUT', `/${id}`, '{"ttl":-1}')).json).toEqual(BAD_TTL);
    clock.advance(9_999);
    expectEmpty(await batch('DELETE', `/${id}`));
  });
});

describe('DELETE batch/<id>', () => {
  test('ends it; a second time it is unknown', async () => {
    const id = await open('{"ttl":10}');
    expectEmpty(await batch('DELETE', `/${id}`));
    expect((await batch('DELETE', `/${id}`)).json).toEqual(UNKNOWN);
  });
});
