import { Writable } from 'node:stream';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { silentLogger, type Logger } from '../../../src/base/logger.ts';

test("pino's loggers fit the interface and carry the bindings of their parents", () => {
  let written = '';
  const sink = new Writable({
    write(chunk: Buffer, _encoding, done) {
      written += chunk.toString();
      done();
    },
  });
  const logger: Logger = pino({ level: 'debug' }, sink);
  logger.child({ database: 'shop' }).warn({ tick: '17' }, 'the leader is slow');
  expect(JSON.parse(written)).toMatchObject({
    database: 'shop',
    tick: '17',
    msg: 'the leader is slow',
  });
});

test('the silent logger takes every level and stays the same for its children', () => {
  const levels = ['debug', 'info', 'warn', 'error'] as const;
  for (const level of levels) expect(() => silentLogger[level]({ tick: '17' }, 'x')).not.toThrow();
  expect(silentLogger.child({ database: 'shop' })).toBe(silentLogger);
});
