import { describe, expect, it } from 'vitest';
import { parseEndpoint } from '../../../src/follower/endpoint.ts';

describe('parseEndpoint', () => {
  it.each([
    ['tcp://127.0.0.1:8529', 'http://127.0.0.1:8529'],
    ['http://leader.example:80', 'http://leader.example:80'],
    ['http+tcp://leader:8613', 'http://leader:8613'],
    ['ssl://10.1.2.3:443', 'https://10.1.2.3:443'],
    ['https://leader:8530/', 'https://leader:8530'],
    ['TCP://Leader:1', 'http://leader:1'],
    ['tcp://[::1]:8529', 'http://[::1]:8529'],
    [' tcp://leader:8529 ', 'http://leader:8529'],
  ])('reads %s', (text, origin) => {
    expect(parseEndpoint(text)).toEqual({ text: text.trim(), origin });
  });

  it('takes 8529 when no port is named', () => {
    expect(parseEndpoint('ssl://leader')?.origin).toBe('https://leader:8529');
  });

  it.each([
    ...['', 'foo', 'leader:8529', 'tcp://', 'tcp://:8529', 'udp://leader:1', 'unix:///tmp/socket'],
    ...['tcp://leader:0', 'tcp://leader:65536', 'tcp://leader:8529/path', 'tcp://a b:1'],
    ...['tcp://user:secret@leader:1', 'tcp://leader:1?x', 'tcp://[::1:8529', 'tcp://[:::::]:1'],
  ])('knows that %j is none', (text) => {
    expect(parseEndpoint(text)).toBeUndefined();
  });
});
