import { describe, expect, test } from 'vitest';
import type { Logger } from '../../../src/base/logger.ts';
import { FailureLog, errorFields } from '../../../src/follower/failure-log.ts';
import { ServiceError } from '../../../src/model/errors.ts';
import { ManualClock } from '../../support/manual-clock.ts';

interface Line {
  readonly level: string;
  readonly fields: Readonly<Record<string, unknown>>;
  readonly text: string;
}

function recorder(): { logger: Logger; lines: Line[] } {
  const lines: Line[] = [];
  const at = (level: string) => (fields: object, text: string) => {
    lines.push({ level, fields: { ...fields }, text });
  };
  const logger: Logger = {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    child: () => logger,
  };
  return { logger, lines };
}

const refused = new ServiceError('noResponse', 'could not connect: refused', {
  cause: new Error('connect ECONNREFUSED'),
});

describe('failures to reach a leader', () => {
  test('are logged first, then at most once a minute with their number, and when they are over', () => {
    const clock = new ManualClock();
    const { logger, lines } = recorder();
    const log = new FailureLog({ clock, logger });
    log.reached();
    for (let i = 0; i < 100; i++) {
      log.failed(refused);
      clock.advance(2000);
    }
    log.reached();
    log.reached();
    expect(lines.map(({ level, fields }) => [level, fields['failures']])).toEqual([
      ...[
        ['warn', 1],
        ['warn', 31],
        ['warn', 61],
        ['warn', 91],
        ['info', 100],
      ],
    ]);
    log.failed(refused);
    expect(lines.at(-1)).toMatchObject({ level: 'warn', fields: { failures: 1 } });
  });

  test('are one line: number and message, without a stack', () => {
    const { logger, lines } = recorder();
    new FailureLog({ clock: new ManualClock(), logger }).failed(refused);
    expect(lines[0]?.fields).toEqual({
      errorNum: 1400,
      reason: 'could not connect: refused',
      failures: 1,
    });
  });
});

test('a leader is called so, whatever the message on the wire calls it', () => {
  const error = new ServiceError('noResponse', 'could not connect to master at tcp://a:1: refused');
  expect(errorFields(error)).toMatchObject({
    reason: 'could not connect to leader at tcp://a:1: refused',
  });
});

test('only what is no word of a leader is logged with where it came from', () => {
  expect(errorFields(refused)).not.toHaveProperty('err');
  const own = new ServiceError('storageDamaged');
  expect(errorFields(own)).toEqual({ err: own });
  const bug = new TypeError('x is not a function');
  expect(errorFields(bug)).toEqual({ err: bug });
});
