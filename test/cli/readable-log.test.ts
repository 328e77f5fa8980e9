import { pino } from 'pino';
import { expect, test } from 'vitest';
import { readableLine } from '../../src/cli/readable-log.ts';

function logged(log: (logger: pino.Logger) => void): string {
  let text = '';
  const logger = pino({ level: 'debug' }, { write: (line) => (text += readableLine(line)) });
  log(logger);
  return text;
}

test('a line shows time, level, message and context', () => {
  const line = JSON.stringify({
    level: 30,
    time: 3_723_004,
    pid: 1,
    hostname: 'h',
    a: 'x',
    b: [1],
  });
  expect(readableLine(line)).toBe('01:02:03.004 info   a=x b=[1]\n');
  expect(
    logged((logger) => logger.child({ database: 'shop' }).warn({ tick: '7' }, 'slow')),
  ).toMatch(/^\d\d:\d\d:\d\d\.\d{3} warn  slow database=shop tick=7\n$/);
});

test('an error is shown with its stack, indented', () => {
  const text = logged((logger) => logger.error({ err: new TypeError('odd') }, 'a request failed'));
  expect(text).toMatch(/error a request failed\n {2}TypeError: odd\n {6}at /);
});

test('what is no JSON is shown as it is', () => {
  expect(readableLine('plain words\n')).toBe('plain words\n');
});
