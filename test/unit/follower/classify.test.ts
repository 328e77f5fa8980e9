import { describe, expect, it } from 'vitest';
import {
  DamagedBody,
  RefusedAnswer,
  classify,
  refusedAnswer,
} from '../../../src/follower/classify.ts';
import type { RemoteError } from '../../../src/protocol/error-body.ts';
import { type ErrorName, ServiceError } from '../../../src/model/errors.ts';

const live = new AbortController().signal;

function refused(status: number, remote?: RemoteError): ServiceError {
  return new ServiceError('leaderError', undefined, { cause: new RefusedAnswer(status, remote) });
}

describe('classify', () => {
  it('an aborted loop ends, whatever the error', () => {
    expect(classify(new ServiceError('noResponse'), AbortSignal.abort())).toBe('abort');
    expect(classify(new Error('anything'), AbortSignal.abort())).toBe('abort');
  });

  it('a leader that cannot be reached is asked again', () => {
    expect(classify(new ServiceError('noResponse'), live)).toBe('retry');
  });

  it.each([500, 502, 503, 504, 408, 429])('a leader that answers %i is asked again', (status) => {
    expect(classify(refused(status), live)).toBe('retry');
  });

  it.each([400, 401, 403, 404, 412])('a leader that says why it answers %i is not', (status) => {
    const remote = { code: status, errorNum: 1228, errorMessage: 'database not found' };
    expect(classify(refused(status, remote), live)).toBe('fatal');
  });

  it.each([301, 302, 400, 403, 404, 412])(
    'what answers %i in the place of a leader is asked again',
    (status) => {
      expect(classify(refused(status), live)).toBe('retry');
    },
  );

  it('what wants a password is not asked again without one', () => {
    expect(classify(refused(401), live)).toBe('fatal');
  });

  it('a page that arrived damaged is fetched again, one that makes no sense is not', () => {
    const damaged = new ServiceError('invalidResponse', undefined, {
      cause: new DamagedBody('crc'),
    });
    expect(classify(damaged, live)).toBe('retry');
    expect(classify(new ServiceError('invalidResponse'), live)).toBe('fatal');
  });

  it.each<ErrorName>(['startTickNotPresent', 'noStartTick'])('%s asks for a sync', (kind) => {
    expect(classify(new ServiceError(kind), live)).toBe('resync');
  });

  it.each<ErrorName>([
    ...(['leaderIncompatible', 'leaderChanged', 'loopDetected', 'unexpectedMarker'] as const),
    ...([
      'uniqueConstraintViolated',
      'collectionNotFound',
      'storageFailed',
      'leaderError',
    ] as const),
  ])('%s ends the loop', (kind) => {
    expect(classify(new ServiceError(kind), live)).toBe('fatal');
  });

  it('what is no service error ends the loop', () => {
    expect(classify(new TypeError('a bug'), live)).toBe('fatal');
    expect(classify(undefined, live)).toBe('fatal');
  });
});

describe('refusedAnswer', () => {
  it('finds what the leader answered', () => {
    expect(refusedAnswer(refused(404))?.status).toBe(404);
    expect(refusedAnswer(new ServiceError('noResponse'))).toBeUndefined();
    expect(refusedAnswer(new ServiceError('leaderError'))).toBeUndefined();
  });
});
