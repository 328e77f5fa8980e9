import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { request } from 'node:http';
import { expect, test } from 'vitest';
import { openServer } from '../../src/open-server.ts';
import { makeTempDir } from '../support/temp-dir.ts';

/** Names that lead elsewhere where a name is taken for a part of a path. */
const NAMES = [
  ...['..', '.', '../x', '..\\x', '../../../../tmp/x', '/etc/passwd', '/', 'a/../../x', 'C:\\x'],
  ...['..%2fx', '%2e%2e%2fx', '%252e%252e%252fx', '..%c0%afx', 'x\u0000y', '\u2025/x', '．．／x'],
  ...['store', 'jwt-secret', 'CURRENT', 'x\n', ' x', 'x.ldb', '~root', '$HOME', '`id`'],
];

test('no name of a database or a collection, however it is spelled, leaves the store', async () => {
  await using dir = await makeTempDir();
  const databaseDirectory = join(dir.path, 'a', 'b', 'data');
  await using server = await openServer({ databaseDirectory });
  const { port } = server.endpoint;
  // Of an own kind, for other clients put paths right before they send them.
  const send = (method: string, path: string, body = ''): Promise<number> =>
    new Promise((resolve, reject) => {
      const options = { port, host: '127.0.0.1', method, path };
      const sent = request(options, (response) => {
        response.resume();
        response.once('end', () => resolve(response.statusCode ?? 0));
      });
      sent.once('error', reject);
      sent.end(body);
    });
  const tree = async (): Promise<string[]> =>
    (await readdir(dir.path, { recursive: true }))
      .filter((path) => !/^a\/b\/data\/store\/(?:\d+\.(?:ldb|log)|MANIFEST-\d+)$/.test(path))
      .sort();
  const before = await tree();
  expect(before).toContain('a/b/data/last-commit');
  const bodies = NAMES.map((name) => JSON.stringify({ name }));
  const isPlain = (name: string): boolean => /^[a-zA-Z][\w-]*$/.test(name);
  for (const [i, name] of NAMES.entries()) {
    const expected = isPlain(name) ? 200 : 400;
    expect(await send('POST', '/_api/database', bodies[i]), name).toBe(expected);
    expect(await send('POST', '/_api/collection', bodies[i]), name).toBe(expected);
    const encoded = encodeURIComponent(name);
    const twice = encodeURIComponent(encoded);
    const raw = /^[\x21-\x7e]+$/.test(name) ? [name] : [];
    for (const spelled of [encoded, twice, ...raw]) {
      if (isPlain(name)) continue;
      for (const [method, path, body] of [
        ['GET', `/_db/${spelled}/_api/version`],
        ['GET', `/_api/collection/${spelled}`],
        ['DELETE', `/_api/collection/${spelled}`],
        ['DELETE', `/_api/database/${spelled}`],
        ['PUT', `/_api/collection/${spelled}/truncate`],
        ['GET', `/_api/document/${spelled}/k`],
        ['POST', `/_api/document?collection=${spelled}&createCollection=true`, '{}'],
        ['POST', `/_api/import?collection=${spelled}&createCollection=true&type=auto`, '{}'],
        ['GET', `/_api/replication/dump?collection=${spelled}`],
      ] as const) {
        const status = await send(method, path, body);
        expect([400, 404, 405, 501], `${method} ${path}`).toContain(status);
      }
    }
    const parameters = { name, type: 2, isSystem: true };
    const collection = JSON.stringify({ parameters, indexes: [] });
    const restored = await send('PUT', '/_api/replication/restore-collection', collection);
    if (!isPlain(name)) expect([400, 500], name).toContain(restored);
  }
  expect(await tree()).toEqual(before);
});
