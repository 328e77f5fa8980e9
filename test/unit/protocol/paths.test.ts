import { expect, test } from 'vitest';
import {
  databasePath,
  documentPath,
  replicationItemPath,
  replicationPath,
} from '../../../src/protocol/paths.ts';

test('a replication path names its database and leaves out undefined parameters', () => {
  expect(
    replicationPath('_system', 'logger-follow', {
      from: 18446744073709551615n,
      chunkSize: 1,
      includeSystem: true,
      serverId: undefined,
    }),
  ).toBe(
    '/_db/_system/_api/replication/logger-follow?from=18446744073709551615&chunkSize=1&includeSystem=true',
  );
  expect(replicationPath('db', 'server-id')).toBe('/_db/db/_api/replication/server-id');
});

test('nothing in a name or value can end its part of the path', () => {
  expect(databasePath('a/../b?c', '/_api/version', { 'x y': 'a&b=c#d' })).toBe(
    '/_db/a%2F..%2Fb%3Fc/_api/version?x%20y=a%26b%3Dc%23d',
  );
  expect(replicationItemPath('db', 'batch', '1/2')).toBe('/_db/db/_api/replication/batch/1%2F2');
  expect(documentPath('db', 'c', "a%:@(1)+,=;$!*'")).toBe(
    "/_db/db/_api/document/c/a%25%3A%40(1)%2B%2C%3D%3B%24!*'",
  );
});
