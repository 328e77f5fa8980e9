import { describe, expect, test } from 'vitest';
import {
  isExcludedFromReplication,
  isSystemName,
  isValidCollectionName,
  isValidDatabaseName,
  isValidKey,
  parseHandle,
} from '../../../src/model/names.ts';

describe('collection and database names', () => {
  test.each(['a', 'Z', 'orders', 'a-b_c9', 'a'.repeat(64)])('%s is legal', (name) => {
    expect(isValidCollectionName(name, false)).toBe(true);
    expect(isValidDatabaseName(name)).toBe(true);
  });

  test.each(['', '1a', '-a', 'a b', 'a/b', 'ä', 'a\n', 'a'.repeat(65), 'a.b'])(
    '%j is illegal',
    (name) => {
      expect(isValidCollectionName(name, true)).toBe(false);
      expect(isValidDatabaseName(name)).toBe(false);
    },
  );

  test('a leading underscore is for system collections', () => {
    expect(isValidCollectionName('_graphs', true)).toBe(true);
    expect(isValidCollectionName('_graphs', false)).toBe(false);
    expect(isValidCollectionName('_', true)).toBe(false);
    expect(isValidDatabaseName('_system')).toBe(false);
    expect(isSystemName('_graphs')).toBe(true);
    expect(isSystemName('graphs_')).toBe(false);
  });
});

describe('excluded collections', () => {
  test.each(['_replication', '_trx', '_users', '_aal', '_fishbowl', '_modules', '_routing'])(
    '%s, which 1.4 leaves out, is never replicated',
    (name) => {
      expect(isExcludedFromReplication(name)).toBe(true);
    },
  );

  test.each([
    ...['_statistics', '_statistics15', '_statisticsRaw', '_apps', '_configuration', '_foxxlog'],
    ...['_cluster_kickstarter_plans', '_jobs', '_queues', '_sessions'],
  ])('%s, which 3.0 leaves out, is never replicated', (name) => {
    expect(isExcludedFromReplication(name)).toBe(true);
  });

  test.each(['_graphs', '_aqlfunctions', 'users', '_mine', 'statistics', '_users2'])(
    '%s is replicated',
    (name) => {
      expect(isExcludedFromReplication(name)).toBe(false);
    },
  );
});

describe('document keys and handles', () => {
  test.each(['a', '1', "_:.@()+,=;$!*'%-", 'a'.repeat(254)])('%s is a key', (key) => {
    expect(isValidKey(key)).toBe(true);
    expect(parseHandle(`c/${key}`)).toEqual({ collection: 'c', key });
  });

  test.each(['', 'a b', 'a/b', 'ä', 'a"', 'a\\', 'a\n', 'a'.repeat(255)])('%j is no key', (key) => {
    expect(isValidKey(key)).toBe(false);
    expect(parseHandle(`c/${key}`)).toBeUndefined();
  });

  test('a handle names its collection by name or by id', () => {
    expect(parseHandle('_graphs/g')).toEqual({ collection: '_graphs', key: 'g' });
    expect(parseHandle('13001126/alice')).toEqual({ collection: '13001126', key: 'alice' });
    for (const bad of ['', '/', 'a', 'a/', '/a', 'a b/c', '1a/c', 'a/b/c']) {
      expect(parseHandle(bad)).toBeUndefined();
    }
  });
});
