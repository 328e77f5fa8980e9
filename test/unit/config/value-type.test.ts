import { expect, test } from 'vitest';
import {
  booleanType,
  choiceType,
  countType,
  formatBytes,
  hostPatternsType,
  isLoopback,
  listenEndpointType,
  secondsType,
  sizeType,
  textType,
} from '../../../src/config/value-type.ts';

const MIB = 1024 ** 2;

test.each([
  ['tcp://127.0.0.1:8529', '127.0.0.1', 8529],
  ['http://127.0.0.1:80', '127.0.0.1', 80],
  ['HTTP://LocalHost:0/', 'localhost', 0],
  ['tcp://127.8.9.10:65535', '127.8.9.10', 65_535],
  ['tcp://[::1]:1', '::1', 1],
  ['tcp://[0:0:0:0:0:0:0:1]:1', '0:0:0:0:0:0:0:1', 1],
  ['tcp://localhost', 'localhost', 8529],
])('%s is an endpoint to listen on', (text, host, port) => {
  expect(listenEndpointType.parse(text)).toEqual({ host, port, secure: false });
  expect(isLoopback(host)).toBe(true);
});

test.each([
  ['tcp://0.0.0.0:8529', '0.0.0.0'],
  ['tcp://[::]:8529', '::'],
  ['tcp://[::2]:8529', '::2'],
  ['tcp://192.168.1.7:8529', '192.168.1.7'],
  ['tcp://128.0.0.1:8529', '128.0.0.1'],
  ['tcp://localhost.example.com:8529', 'localhost.example.com'],
  ['tcp://127.0.0.1.example.com:8529', '127.0.0.1.example.com'],
  ['tcp://2130706433:8529', '2130706433'],
])('%s is an endpoint to listen on that others reach', (text, host) => {
  expect(listenEndpointType.parse(text)).toEqual({ host, port: 8529, secure: false });
  expect(isLoopback(host)).toBe(false);
});

test.each(['ssl://127.0.0.1:8529', 'HTTPS://127.0.0.1'])('%s is an endpoint with TLS', (text) => {
  expect(listenEndpointType.parse(text)).toEqual({ host: '127.0.0.1', port: 8529, secure: true });
});

test('hosts to connect to are read with their ports', () => {
  const text = 'tcp://Leader.example.org:8529, *.lan:*, 10.1.2.3, [::1]:1, *:8530,';
  expect(hostPatternsType.parse(text)).toEqual([
    { host: 'leader.example.org', port: 8529 },
    { host: '*.lan', port: undefined },
    { host: '10.1.2.3', port: undefined },
    { host: '[::1]', port: 1 },
    { host: '*', port: 8530 },
  ]);
  expect(hostPatternsType.parse('')).toEqual([]);
});

test.each(['a b', 'host:0', 'host:65536', 'host:x', '*leader', 'a.*.b', 'u:p@host', '::1'])(
  '%j is no list of hosts',
  (text) => {
    expect(hostPatternsType.parse(text)).toBeUndefined();
  },
);

test.each([
  'tcp://[127.0.0.1]:8529',
  'tcp://[localhost]:8529',
  'tcp://::1:8529',
  'tcp://127.0.0.1:65536',
  'tcp://127.0.0.1:-1',
  'tcp://127.0.0.1:',
  'tcp://:8529',
  'tcp://127.0.0.1:8529/path',
  'gopher://127.0.0.1:8529',
  'tcp://u:p@127.0.0.1:8529',
  '127.0.0.1:8529',
  'foo',
  '',
])('%s is refused as an endpoint to listen on', (text) => {
  expect(listenEndpointType.parse(text)).toBeUndefined();
});

test.each([
  ['1024', 1024],
  ['64MiB', 64 * MIB],
  ['64 mib', 64 * MIB],
  ['100kB', 100_000],
  ['1KiB', 1024],
  ['1024B', 1024],
  ['100MB', 100_000_000],
])('%s is a size', (text, bytes) => {
  expect(sizeType(1, 1024 * MIB).parse(text)).toBe(bytes);
});

test.each(['', 'MiB', '-1', '1.5MiB', '1e6', '64M', '64 Mi B', '0x10', '64MiB '.repeat(2), '∞'])(
  '"%s" is no size',
  (text) => {
    expect(sizeType(0, 1024 * MIB).parse(text)).toBeUndefined();
  },
);

test('a size may be as small and as large as the bounds, and no more', () => {
  const type = sizeType(4096, MIB);
  expect(type.allowed).toBe('4KiB to 1MiB; units B, kB, MB, GB, KiB, MiB, GiB');
  expect([type.parse('4096'), type.parse('1MiB')]).toEqual([4096, MIB]);
  expect([type.parse('4095'), type.parse('1048577')]).toEqual([undefined, undefined]);
  expect(type.parse('9'.repeat(400))).toBeUndefined();
});

test.each([
  [0, '0B'],
  [1, '1B'],
  [1023, '1023B'],
  [1024, '1KiB'],
  [64 * MIB, '64MiB'],
  [3 * 1024 * MIB, '3GiB'],
])('%i bytes are printed as %s', (bytes, text) => {
  expect(formatBytes(bytes)).toBe(text);
});

test.each([
  ['true', true],
  ['YES', true],
  ['on', true],
  ['1', true],
  ['false', false],
  ['no', false],
  ['Off', false],
  ['0', false],
])('%s is the boolean %s', (text, value) => {
  expect(booleanType.parse(text)).toBe(value);
});

test.each(['', 'maybe', '2', ' true'])('"%s" is no boolean', (text) => {
  expect(booleanType.parse(text)).toBeUndefined();
});

test('a choice is spelled as listed', () => {
  const type = choiceType(['always', 'never']);
  expect(type.allowed).toBe('always, never');
  expect([type.parse('always'), type.parse('Always'), type.parse('')]).toEqual([
    'always',
    undefined,
    undefined,
  ]);
});

test('a text is anything but empty', () => {
  const type = textType('a path');
  expect([type.parse('./x y'), type.parse('')]).toEqual(['./x y', undefined]);
});

test.each([
  ['1', 1],
  ['007', 7],
  ['10', 10],
])('%s is a count from 1 to 10', (text, count) => {
  expect(countType(1, 10).parse(text)).toBe(count);
});

test.each(['0', '11', '-1', '1.5', '', 'x', '1e1', '99999999999999999999'])(
  '%j is no count from 1 to 10',
  (text) => {
    expect(countType(1, 10).parse(text)).toBeUndefined();
  },
);

test.each([
  ['1', 1000],
  ['1.5', 1500],
  ['60', 60_000],
])('%s are seconds from 1 to 60', (text, ms) => {
  expect(secondsType(1, 60).parse(text)).toBe(ms);
});

test.each(['0.999', '60.1', '-1', '', '1s', '.5', '1e1'])(
  '%j are no seconds from 1 to 60',
  (text) => {
    expect(secondsType(1, 60).parse(text)).toBeUndefined();
  },
);
