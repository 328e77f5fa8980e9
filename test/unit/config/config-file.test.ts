import { expect, test } from 'vitest';
import { parseConfigFile } from '../../../src/config/config-file.ts';

/** Keys and values of `text`, which must have no problems. */
function parse(text: string): Record<string, string> {
  const { entries, problems } = parseConfigFile(text);
  expect(problems).toEqual([]);
  return Object.fromEntries([...entries].map(([key, { value }]) => [key, value]));
}

test('a key before any section is taken as it is', () => {
  expect(parse('server.endpoint = tcp://127.0.0.1:1')).toEqual({
    'server.endpoint': 'tcp://127.0.0.1:1',
  });
});

test('a section is put before the keys that follow, until the next one', () => {
  const text = '[server]\nendpoint = tcp://localhost:1\nmax-body=1MiB\n[log]\nlevel = debug';
  expect(parse(text)).toEqual({
    'server.endpoint': 'tcp://localhost:1',
    'server.max-body': '1MiB',
    'log.level': 'debug',
  });
});

test('a key with a dot is complete, whatever section it stands in', () => {
  expect(parse('[server]\nlog.level = info')).toEqual({ 'log.level': 'info' });
});

test('comments, empty lines, indentation, a byte order mark and Windows line ends do not matter', () => {
  expect(parse('\uFEFF# comment\r\n; another\r\n\r\n  [ log ]\r\n\tlevel\t=  warn  \r\n')).toEqual({
    'log.level': 'warn',
  });
});

test('a value may hold = and #, and may be empty', () => {
  expect(parse('database.directory = /data/a=b#c\nlog.level =')).toEqual({
    'database.directory': '/data/a=b#c',
    'log.level': '',
  });
});

test('every line that is none of this is named, and the others are still read', () => {
  const { entries, problems } = parseConfigFile('log.level\n[server\nlog.level = warn\n@include x');
  expect(problems).toEqual([
    'line 1: neither key = value, [section] nor a comment',
    'line 2: neither key = value, [section] nor a comment',
    'line 4: neither key = value, [section] nor a comment',
  ]);
  expect(entries.get('log.level')).toEqual({ value: 'warn', line: 3 });
});

test('a key given twice is named with both lines, and the first one counts', () => {
  const { entries, problems } = parseConfigFile('log.level = warn\n[log]\nlevel = info');
  expect(problems).toEqual(['line 3: log.level was given before, in line 1']);
  expect(entries.get('log.level')?.value).toBe('warn');
});
