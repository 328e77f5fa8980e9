import { describe, expect, test } from 'vitest';
import type { Context } from '../../../src/http/context.ts';
import {
  type Generation,
  generationOf,
  generationOfVersion,
} from '../../../src/http/generation.ts';

function request(target: string, header?: string, generation: Generation = '1.4'): Context {
  const [method = '', path = ''] = target.split(' ');
  const headers = header === undefined ? {} : { 'x-arango-version': header };
  return { method, path, headers, state: { generation } } as unknown as Context;
}

describe('the generation of an answer', () => {
  test.each([
    ['1.4', '1.4'],
    ['10400', '1.4'],
    ['10403', '1.4'],
    ['20800', '1.4'],
    ['29999', '1.4'],
    ['30000', '3.x'],
    ['30003', '3.x'],
    ['31200', '3.x'],
    ['3.0', '3.x'],
    ['3.0.3', '3.x'],
  ])(
    'is for a client that says %s that of %s, whatever the server claims to be',
    (header, wanted) => {
      for (const own of ['1.4', '3.x'] as const) {
        expect(generationOf(request('GET /_api/replication/dump', header, own))).toBe(wanted);
      }
    },
  );

  test.each([undefined, '', 'abc'])('is that of the server for a client that says %s', (header) => {
    for (const own of ['1.4', '3.x'] as const) {
      expect(generationOf(request('GET /_api/replication/dump', header, own))).toBe(own);
    }
  });

  test.each([
    'PUT /_api/replication/logger-follow',
    'GET /_api/replication/determine-open-transactions',
    'POST /_api/replication/barrier',
    'PUT /_api/replication/barrier/17',
    'PUT /_api/replication/make-slave',
    'POST /_api/replication/keys',
    'POST /_api/document/people',
    'POST /_api/transaction/begin',
    'GET /_api/wal/tail',
  ])('is 3.x for %s, which 1.4 does not have', (target) => {
    expect(generationOf(request(target, '1.4'))).toBe('3.x');
  });

  test.each([
    'GET /_api/replication/logger-follow',
    'GET /_api/replication/barriers',
    'POST /_api/document',
    'PUT /_api/document/people/a',
    'POST /_api/transaction',
  ])('is that of the client for %s', (target) => {
    expect(generationOf(request(target, '1.4', '3.x'))).toBe('1.4');
  });

  test('of a server is that of its version', () => {
    expect(generationOfVersion('1.4.3')).toBe('1.4');
    expect(generationOfVersion('3.0.12')).toBe('3.x');
  });
});
