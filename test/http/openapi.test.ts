import { Validator } from '@seriousme/openapi-schema-validator';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { silentLogger } from '../../src/base/logger.ts';
import { readConfig } from '../../src/config/server-config.ts';
import type { ApiRouter } from '../../src/http/context.ts';
import type { ReplicationCommands } from '../../src/http/replication-dispatch.ts';
import { ERRORS } from '../../src/model/errors.ts';
import { type RunningServer, startServer } from '../../src/server.ts';
import {
  type CheckedAnswer,
  checkAnswer,
  contentFaults,
  schemaFaults,
} from '../support/api-check.ts';
import {
  type ApiContent,
  allOperations,
  apiDocument,
  findOperation,
  resolved,
} from '../support/api-document.ts';
import { makeTempDir } from '../support/temp-dir.ts';

/** What the server is put together from, seen where it is made. */
const made = vi.hoisted(() => ({
  routers: [] as ApiRouter[],
  tables: [] as ReplicationCommands[],
}));

vi.mock(import('../../src/http/context.ts'), async (importOriginal) => {
  const original = await importOriginal();
  const apiRouter = (prefix: string): ApiRouter => {
    const router = original.apiRouter(prefix);
    made.routers.push(router);
    return router;
  };
  return { ...original, apiRouter };
});

vi.mock(import('../../src/http/replication-dispatch.ts'), async (importOriginal) => {
  const original = await importOriginal();
  const replicationDispatch: typeof original.replicationDispatch = (...tables) => {
    made.tables.push(...tables);
    return original.replicationDispatch(...tables);
  };
  return { ...original, replicationDispatch };
});

/** Routes that are there to say what is wrong with a path; the document has them as refusals. */
const REFUSING: ReadonlySet<string> = new Set([
  'GET /_api/document/*',
  ...['GET', 'PUT', 'PATCH', 'DELETE'].map((method) => `${method} /_api/edge/*`),
  ...['GET /_api/index/*', 'DELETE /_api/index/*'],
  ...['GET /_api/collection/*/*', 'PUT /_api/collection/*/*'],
  ...['GET', 'PUT', 'POST', 'PATCH', 'DELETE'].map((method) => `${method} /_api/wal`),
]);

/** Operations whose bodies may be of any size. */
const STREAMING: ReadonlySet<unknown> = new Set(['importDocuments', 'restoreData']);

/** The smallest limit that a server takes. */
const MAX_BODY_BYTES = 4096;

interface Node {
  readonly [name: string]: unknown;
}

/** Every object of the document that `accept` wants, with the names that lead to it. */
function* nodesOf(
  accept: (node: Node, path: readonly string[]) => boolean,
  node: unknown = apiDocument,
  path: readonly string[] = [],
): Generator<{ node: Node; place: string }> {
  if (typeof node !== 'object' || node === null) return;
  if (accept(node as Node, path)) yield { node: node as Node, place: path.join(' > ') };
  for (const [name, member] of Object.entries(node)) {
    // What stands in an example is no part of the document.
    if (name !== 'example') yield* nodesOf(accept, member, [...path, name]);
  }
}

describe('api-spec/openapi.yaml', () => {
  test('is a valid document of OpenAPI 3.1', async () => {
    const validator = new Validator();
    // Validation puts what is referred to in place of the references.
    const copy = JSON.parse(JSON.stringify(apiDocument)) as Record<string, unknown>;
    const { valid, errors } = await validator.validate(copy);
    expect(errors).toBeUndefined();
    expect([valid, validator.version]).toEqual([true, '3.1']);
  });

  test('has an id of its own for each operation, and every parameter of a path', () => {
    const ids = allOperations().map(({ operation }) => operation.operationId);
    expect(new Set(ids).size).toBe(ids.length);
    for (const [path, item] of Object.entries(apiDocument.paths)) {
      const parameters = (item['parameters'] ?? []) as unknown[];
      const names = parameters.map((each) => `{${resolved<{ name: string }>(each).name}}`);
      expect(names, path).toEqual(path.match(/\{[^}]*\}/g) ?? []);
    }
  });

  test('has schemas that can be used, and nothing that is not', () => {
    const schemas = [...nodesOf((_, path) => path.at(-1) === 'schema')];
    expect(schemas.length).toBeGreaterThan(100);
    // It is compiled strictly: unknown words are errors.
    for (const { node } of schemas) expect(() => schemaFaults(node, null)).not.toThrow();
    const used = new Set(
      [...nodesOf((node) => '$ref' in node)].map(({ node }) => String(node['$ref'])),
    );
    for (const [kind, components] of Object.entries(apiDocument.components)) {
      // Those are named, not referred to.
      if (kind === 'securitySchemes') continue;
      for (const name of Object.keys(components)) {
        expect(used).toContain(`#/components/${kind}/${name}`);
      }
    }
  });

  test('has examples that are as their schemas say, for all bodies that are not empty', () => {
    const contents = [...nodesOf((_, path) => path.at(-2) === 'content')];
    let examples = 0;
    for (const { node, place } of contents) {
      const { schema, example } = node as unknown as ApiContent;
      if (resolved<Node>(schema)['maxLength'] === 0) continue;
      expect(example, place).toBeDefined();
      const text = typeof example === 'string' ? example : JSON.stringify(example);
      const type = place.split(' > ').at(-1) ?? '';
      expect(contentFaults(type, { schema }, text), place).toEqual([]);
      examples++;
    }
    expect(examples).toBeGreaterThan(100);
  });

  test('names only error numbers that there are', () => {
    const numbers = new Set<unknown>(Object.values(ERRORS).map(({ errorNum }) => errorNum));
    const named = [...nodesOf((_, path) => path.at(-1) === 'errorNum')].flatMap(({ node }) => {
      if ('const' in node) return [node['const']];
      return Array.isArray(node['enum']) ? (node['enum'] as unknown[]) : [];
    });
    expect(named.length).toBeGreaterThan(50);
    // 0 is no error, and stands where there was none.
    for (const number of named) expect(numbers.has(number) || number === 0).toBe(true);
  });
});

describe('the routes of the server', () => {
  let server: RunningServer;
  const closers: AsyncDisposable[] = [];

  beforeAll(async () => {
    const directory = await makeTempDir();
    closers.push(directory);
    const flags = {
      'database.directory': directory.path,
      'server.endpoint': 'tcp://127.0.0.1:0',
      'server.max-body': String(MAX_BODY_BYTES),
    };
    const config = readConfig({ flags, env: {}, readFile: () => '' });
    server = await startServer({ logger: silentLogger }, config);
    const { status } = await request('POST', '/_api/collection', '{"name":"c","type":3}');
    expect(status).toBe(200);
  });
  afterAll(async () => {
    await server.stop();
    for (const closer of closers) await closer[Symbol.asyncDispose]();
  });

  /** Method and path of every route that a router has, `*` for each parameter. */
  function routes(): string[] {
    const layers = made.routers.flatMap(({ stack }) => stack);
    const all = layers.flatMap(({ methods, path }) => {
      const shown = String(path).replace(/:\w+/g, '*');
      return methods.filter((method) => method !== 'HEAD').map((method) => `${method} ${shown}`);
    });
    // Which commands there are is not in the routes.
    return all.filter((route) => !route.includes('/_api/replication'));
  }

  /** Sends a request and checks the answer. */
  async function request(method: string, path: string, body = '{}'): Promise<CheckedAnswer> {
    const init = method === 'GET' ? { method } : { method, body };
    const response = await fetch(server.url + path, init);
    const headers = Object.fromEntries(response.headers);
    const answer = { status: response.status, headers, text: await response.text() };
    checkAnswer(method, path, answer);
    return answer;
  }

  test('are those of the document', () => {
    const documented = allOperations()
      .map(({ name }) => name.replace(/\{[^}]*\}/g, '*'))
      .filter((name) => !name.includes('/_api/replication'));
    const registered = routes().filter((route) => !REFUSING.has(route) && !route.includes('*rest'));
    expect(registered.sort()).toEqual(documented.sort());
  });

  test('are those of the document for the commands of replication', () => {
    const commands = made.tables.flatMap((table) => Object.entries(table));
    const registered = commands.flatMap(([command, { methods }]) =>
      Object.keys(methods).map((method) => `${method} ${command}`),
    );
    const documented = allOperations().flatMap(({ name }) => {
      const [, method = '', command = '', id] =
        /^(\w+) \/_api\/replication\/([^/]+)(\/\{\w+\})?$/.exec(name) ?? [];
      const takesId = commands.find(([each]) => each === command)?.[1].takesId ?? false;
      if (id !== undefined) expect(takesId, name).toBe(true);
      return method === '' ? [] : [`${method} ${command}`];
    });
    expect(registered.sort()).toEqual(documented.sort());
  });

  test('that are left out refuse what is sent there', async () => {
    const left = routes().filter((route) => REFUSING.has(route) || route.includes('*rest'));
    expect(left).toEqual(expect.arrayContaining([...REFUSING]));
    for (const route of left) {
      const [method = '', pattern = ''] = route.split(' ');
      const path = pattern.replace('*rest', 'x/y').replace('*', 'c').replaceAll('*', 'nonsense');
      expect(findOperation(method, path)).toBeUndefined();
      expect([400, 404, 501]).toContain((await request(method, path)).status);
    }
  });

  test('all say so when the database is unknown', async () => {
    for (const { name } of allOperations()) {
      const [method = '', path = ''] = name.replace(/\{[^}]*\}/g, 'c').split(' ');
      const { status, text } = await request(method, `/_db/none${path}`);
      expect([status, JSON.parse(text)], name).toMatchObject([404, { errorNum: 1228 }]);
    }
  });

  test('that read a body refuse one that is too large', async () => {
    const body = `{}${' '.repeat(MAX_BODY_BYTES)}`;
    const reading = allOperations().filter(
      ({ operation }) => operation.requestBody && !STREAMING.has(operation.operationId),
    );
    expect(reading.length).toBeGreaterThan(10);
    for (const { name } of reading) {
      const [method = '', path = ''] = name.replace(/\{[^}]*\}/g, 'c').split(' ');
      const { status } = await request(method, `${path}?collection=c&from=c/c&to=c/c`, body);
      expect(status, name).toBe(413);
    }
  });
});

describe('the check of answers', () => {
  const json = { 'content-type': 'application/json; charset=utf-8' };
  const dump = {
    'content-type': 'application/x-arango-dump; charset=utf-8',
    'x-arango-replication-checkmore': 'false',
    'x-arango-replication-lastincluded': '7',
    'x-ticklog-deletions-since': '1',
    'x-ticklog-incarnation': 'a1',
    'x-ticklog-seal': '18',
    'x-ticklog-crc32': '17',
  };
  const line = '{"tick":"7","type":2302,"key":"k","rev":"6"}\n';
  const notFound = '{"error":true,"errorMessage":"x","code":404,"errorNum":1203}';
  const check = (
    target: string,
    status: number,
    headers: Record<string, string>,
    text: string,
  ): void => {
    const [method = '', path = ''] = target.split(' ');
    checkAnswer(method, path, { status, headers, text });
  };

  test('takes what is documented, with a prefix, by HEAD, and with more behind a command', () => {
    check('GET /_db/d/_api/version/?details=1', 200, json, '{"server":"arango","version":"1.4.3"}');
    check('HEAD /_api/version', 200, json, '');
    check('GET /_api/replication//dump/x?collection=c', 200, dump, line);
    check('DELETE /_api/database/user', 404, json, notFound.replace('1203', '1228'));
    check('GET /_api/boats', 404, json, notFound.replace('1203', '404'));
  });

  const version = '{"server":"arango","version":"1.4.3"}';
  const without = (name: string): Record<string, string> =>
    Object.fromEntries(Object.entries(dump).filter(([each]) => each !== name));

  test.each<[string, string, number, Record<string, string>, string, string]>([
    ['a path', 'GET /_api/boats', 200, json, '{}', 'the path or its method is missing'],
    ['a method', 'PUT /_api/version', 200, json, '{}', 'the path or its method is missing'],
    ['a status', 'OPTIONS /_api/version', 204, json, '', 'the path or its method is missing'],
    ['a failure', 'GET /_api/version', 418, json, '{"server":"x"}', 'body must have required'],
    ['a number', 'GET /_api/version', 404, json, notFound, 'body/errorNum must be equal'],
    ['a member', 'GET /_api/version', 200, json, version.replace('}', ',"a":1}'), '"a"'],
    ['a body', 'HEAD /_api/version', 200, json, '{}', 'a HEAD has no body'],
    ['bad JSON', 'GET /_api/version', 200, json, '{', 'the body is no JSON'],
    ['a type', 'GET /_api/version', 200, { 'content-type': 'text/html' }, '', 'text/html, not'],
    [
      'a kind of line',
      'GET /_api/replication/dump',
      200,
      dump,
      line.replace('2302', '1'),
      'lines/0',
    ],
    ['half a line', 'GET /_api/replication/dump', 200, dump, line.trim(), 'does not end with a'],
    ['an empty page', 'GET /_api/replication/dump', 200, dump, '', 'lines must NOT have fewer'],
    ['a header', 'GET /_api/replication/dump', 200, { ...dump, 'x-mood': 'good' }, line, 'x-mood'],
    [
      ...(['a value of a header', 'GET /_api/replication/dump', 200] as const),
      ...([{ ...dump, 'x-arango-replication-checkmore': 'maybe' }, line, ': maybe'] as const),
    ],
    [
      ...(['a lack of headers', 'GET /_api/replication/dump', 200] as const),
      ...([without('x-ticklog-crc32'), line, 'x-ticklog-crc32 is missing'] as const),
    ],
  ])('refuses %s that the document does not have', (_, target, status, headers, text, fault) => {
    const start = `${target} was answered ${status}, not as api-spec/openapi.yaml says of `;
    const checking = (): void => check(target, status, headers, text);
    expect(checking).toThrow(start);
    expect(checking).toThrow(fault);
  });
});
