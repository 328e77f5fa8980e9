import { EventEmitter } from 'node:events';
import { expect, test } from 'vitest';
import type { Exchange } from '../../../src/http/context.ts';
import { answerPage } from '../../../src/http/replication-answer.ts';
import type { PageRequest } from '../../../src/protocol/page-seal.ts';

const LINES = Buffer.from('{}\n');
const REQUEST: PageRequest = {
  kind: 'log',
  database: '_system',
  collection: '',
  from: 0n,
  to: 9n,
  includeSystem: true,
};

/** Answers a page of one line to a client that is as told. @returns how often its memory was given back, now and after the close */
function releases(client: { writableFinished?: boolean; fails?: boolean }): [number, number] {
  let count = 0;
  const res = Object.assign(new EventEmitter(), { closed: false, ...client });
  const ctx = {
    res,
    set: () => undefined,
    sendPieces: () => {
      if (client.fails) throw new Error('cannot be sent');
    },
  } as unknown as Exchange;
  const page = {
    body: { pieces: [LINES], length: LINES.length, crc32: 1 },
    ...{ lastIncluded: 5n, checkMore: false, incarnation: 'a' },
    release: () => count++,
  };
  try {
    answerPage(ctx, page, REQUEST, {}, { stalledAfterMs: 1000 });
  } catch (error) {
    expect(error).toMatchObject({ message: 'cannot be sent' });
  }
  const now = count;
  res.emit('close');
  return [now, count];
}

test('the memory of a page is given back when the system has taken it, the client is gone, or it cannot be sent', () => {
  expect(releases({ writableFinished: true })).toEqual([1, 1]);
  expect(releases({ writableFinished: false })).toEqual([0, 1]);
  expect(releases({ fails: true })).toEqual([1, 1]);
});
