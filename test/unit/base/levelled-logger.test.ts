import { describe, expect, test } from 'vitest';
import { LevelledLogger } from '../../../src/base/levelled-logger.ts';
import type { Logger } from '../../../src/base/logger.ts';
import { RepeatedLines } from '../../../src/base/repeated-lines.ts';
import { ManualClock } from '../../support/manual-clock.ts';

/** Keeps what it is given. */
function listing(lines: string[], bound: object = {}): Logger {
  const write =
    (level: string) =>
    (obj: object, msg: string): void => {
      lines.push(`${level} ${msg} ${JSON.stringify({ ...bound, ...obj })}`);
    };
  return {
    ...{ debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') },
    child: (bindings) => listing(lines, { ...bound, ...bindings }),
  };
}

describe('levels', () => {
  test('hold for children that were made before they were changed', () => {
    const lines: string[] = [];
    const logger = LevelledLogger.over(listing(lines), 'warn');
    const child = logger.child({ database: 'shop' });
    child.info({}, 'one');
    logger.levels.set('general', 'debug');
    child.debug({}, 'two');
    logger.levels.set('general', 'silent');
    child.error({}, 'three');
    expect(lines).toEqual(['debug two {"database":"shop"}']);
  });

  test('of replication are those of whoever follows or copies', () => {
    const lines: string[] = [];
    const logger = LevelledLogger.over(listing(lines), 'warn');
    logger.levels.set('replication', 'info');
    logger.info({}, 'general');
    logger.child({ applier: 'shop' }).info({}, 'applier');
    logger.child({ leader: 'tcp://a' }).child({ n: 1 }).info({}, 'sync');
    expect(lines.map((line) => line.split(' ')[1])).toEqual(['applier', 'sync']);
  });
});

describe('lines that are repeated', () => {
  test('are written once in a while, with how many they were', () => {
    const lines: string[] = [];
    const clock = new ManualClock();
    const logger = LevelledLogger.over(listing(lines), 'info', clock);
    for (let i = 0; i < 100; i++) logger.error({ err: new Error('odd'), i }, 'failed');
    logger.error({ err: new Error('other') }, 'failed');
    expect(lines.map((line) => line.split(' ')[0])).toEqual(['error', 'error']);
    clock.advance(30_000);
    logger.error({ err: new Error('odd'), i: 100 }, 'failed');
    expect(lines[2]).toMatch(/"i":99,"repeated":99/);
    expect(lines[3]).toMatch(/"i":100/);
    expect(lines).toHaveLength(4);
  });

  test('are told apart by what they are about', () => {
    const lines: string[] = [];
    const logger = LevelledLogger.over(listing(lines), 'info', new ManualClock());
    for (const database of ['a', 'b']) {
      logger.child({ database }).warn({}, 'slow');
      logger.child({ database }).warn({ collection: 'c' }, 'slow');
    }
    expect(lines).toHaveLength(4);
  });

  test('are all written as long as they are no warnings', () => {
    const lines: string[] = [];
    const logger = LevelledLogger.over(listing(lines), 'info', new ManualClock());
    for (let i = 0; i < 5; i++) logger.info({}, 'page applied');
    expect(lines).toHaveLength(5);
  });

  test('are not forgotten at the end, nor when there are very many kinds', () => {
    const seen: string[] = [];
    const repeated = new RepeatedLines({ clock: new ManualClock() }, { intervalMs: 1000 });
    const note = (key: string): void => repeated.note(key, (count) => seen.push(`${key} ${count}`));
    note('first');
    note('first');
    for (let i = 0; i < 500; i++) note(`kind ${i}`);
    expect(seen).toContain('first 1');
    note('kind 499');
    repeated.close();
    expect(seen.at(-1)).toBe('kind 499 1');
  });
});
