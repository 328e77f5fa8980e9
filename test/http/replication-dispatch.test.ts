import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { InvariantError } from '../../src/base/assert.ts';
import { replicationDispatch } from '../../src/http/replication-dispatch.ts';
import { type Answer, type LeaderServer, openLeaderServer } from '../support/leader-server.ts';

const INVALID_COMMAND = { error: true, errorMessage: 'invalid command', code: 400, errorNum: 400 };
const NOT_SUPPORTED = {
  error: true,
  errorMessage: 'method not supported',
  code: 405,
  errorNum: 405,
};
const COMMAND_EXPECTED = {
  error: true,
  errorMessage: 'expecting URL /_api/replication/<command>',
  code: 400,
  errorNum: 601,
};

/** Methods of every command of the leader's side (contract 1.4). */
const COMMANDS: Record<string, string[]> = {
  'logger-start': ['PUT'],
  'logger-stop': ['PUT'],
  'logger-state': ['GET', 'DELETE'],
  'logger-config': ['GET', 'PUT'],
  'logger-follow': ['GET', 'PUT'],
  'logger-first-tick': ['GET'],
  'logger-tick-ranges': ['GET'],
  'determine-open-transactions': ['GET'],
  clusterInventory: ['GET'],
  'server-id': ['GET'],
  inventory: ['GET'],
  dump: ['GET'],
};
const METHODS = ['GET', 'PUT', 'POST', 'DELETE', 'PATCH'];

let server: LeaderServer;
beforeAll(async () => {
  server = await openLeaderServer({
    undocumented: ['/_api/replication/applier-state'],
    moreCommands: {
      'applier-state': {
        methods: {
          GET: ({ ctx, more }) => {
            ctx.body = JSON.stringify(more);
          },
        },
      },
    },
  });
});
afterAll(() => server[Symbol.asyncDispose]());

function expectError(answer: Answer, error: { code: number }): void {
  expect(answer.json).toEqual(error);
  expect(answer.status).toBe(error.code);
  expect(answer.headers['content-type']).toBe('application/json; charset=utf-8');
}

describe('the path below /_api/replication', () => {
  test.each(['GET', 'PUT'])('without a command is 400/601 for %s', async (method) => {
    expectError(await server.call(method, '/_api/replication'), COMMAND_EXPECTED);
    expectError(await server.call(method, '/_api/replication/'), COMMAND_EXPECTED);
  });

  test.each(['foo', 'Logger-State', 'constructor', '__proto__', 'barriers', '%', '%2e%zz'])(
    'with the unknown command %s is 400/400 for every method',
    async (command) => {
      for (const method of METHODS) {
        const path = `/_api/replication/${command}`;
        expectError(await server.call(method, path), INVALID_COMMAND);
        expectError(await server.call(method, `${path}/more`), INVALID_COMMAND);
      }
    },
  );

  test('an unknown command is named for clients of 3.x', async () => {
    const headers = { 'x-arango-version': '30003' };
    const answer = await server.request('GET', '/_api/replication/foo', { headers });
    expect(answer.json).toEqual({ ...INVALID_COMMAND, errorMessage: "invalid command 'foo'" });
  });

  for (const [command, methods] of Object.entries(COMMANDS)) {
    const others = METHODS.filter((method) => !methods.includes(method));
    test(`${command} answers 405 for ${others.join(', ')}, and 601 with more in the path`, async () => {
      for (const method of others) {
        const path = `/_api/replication/${command}`;
        expectError(await server.call(method, path), NOT_SUPPORTED);
        expectError(await server.call(method, `${path}/`), NOT_SUPPORTED);
        expectError(await server.call(method, `${path}/foo`), COMMAND_EXPECTED);
      }
    });

    test(`HEAD of ${command} is 405 without a body`, async () => {
      const answer = await server.call('HEAD', `/_api/replication/${command}`);
      expect(answer.status).toBe(405);
      expect(answer.headers['content-length']).toBe('78');
      expect(answer.text).toBe('');
    });
  }

  test('batch answers 405 for every wrong method, and for PUT and DELETE without one id', async () => {
    for (const [method, path] of [
      ['GET', 'batch'],
      ['GET', 'batch/1'],
      ['PATCH', 'batch/1'],
      ['PUT', 'batch'],
      ['DELETE', 'batch'],
      ['PUT', 'batch/1/2'],
    ] as const) {
      expectError(
        await server.call(
          method,
          `/_api/replication/${path}`,
          method === 'GET' ? undefined : '{"ttl":5}',
        ),
        NOT_SUPPORTED,
      );
    }
  });

  test.each(['barrier', 'keys'])('%s answers 405 for every wrong method', async (command) => {
    for (const path of [command, `${command}/1`, `${command}/1/2`]) {
      expectError(await server.call('PATCH', `/_api/replication/${path}`), NOT_SUPPORTED);
    }
  });

  test('barrier answers 405 for PUT and DELETE without one id', async () => {
    for (const [method, path] of [
      ['PUT', 'barrier'],
      ['DELETE', 'barrier'],
      ['DELETE', 'barrier/1/2'],
    ] as const) {
      expectError(await server.call(method, `/_api/replication/${path}`), NOT_SUPPORTED);
    }
  });

  test('more segments behind a command are passed over when the method is right', async () => {
    const plain = await server.get('server-id');
    for (const path of ['server-id/foo', 'server-id/', 'server-id/foo/bar', '/server-id']) {
      const answer = await server.get(path);
      expect(answer.status).toBe(200);
      expect(answer.text).toBe(plain.text);
    }
  });

  test('a command of a second table is known, and gets what follows it decoded', async () => {
    const answer = await server.get('applier-state/a%20b/c');
    expect(JSON.parse(answer.text)).toEqual(['a b', 'c']);
    expectError(await server.put('applier-state'), NOT_SUPPORTED);
  });

  test('an unknown database is 404/1228, with its name', async () => {
    expectError(await server.call('GET', '/_db/nosuchdb/_api/replication/logger-follow'), {
      error: true,
      errorMessage: "database 'nosuchdb' not found",
      code: 404,
      errorNum: 1228,
    } as { code: number });
  });
});

test('a command may be in one table only', () => {
  const table = { sync: { methods: {} } };
  expect(() => replicationDispatch(table, table)).toThrow(InvariantError);
});
