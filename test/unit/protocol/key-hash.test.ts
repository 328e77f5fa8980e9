import { describe, expect, test } from 'vitest';
import { ChunkHash } from '../../../src/protocol/key-hash.ts';

function hashOf(...pairs: readonly (readonly [key: string, rev: string])[]): string {
  const hash = new ChunkHash();
  for (const [key, rev] of pairs) hash.add(key, rev);
  return hash.toString();
}

describe('the hash of a chunk of keys', () => {
  test('is the one that a real 3.0.3 server computes', () => {
    expect(hashOf(['MY::F', '319'])).toBe('8999502605059189834');
    expect(hashOf(['g', '308'])).toBe('5030854560097121435');
    const people = [...(['136', 'alice', 'exp', 'num', 'str', 't1', 't3', 'unlogged'] as const)];
    const revs = ['136', '150', '141', '144', '147', '216', '226', '374'];
    const pairs = people.map((key, i) => [key, revs[i] ?? ''] as const);
    expect(hashOf(...pairs)).toBe('14877337976958582646');
    // Keys that are their own revisions take each other out.
    expect(hashOf(['28', '28'], ['32', '32'], ['35', '35'])).toBe('305419896');
    expect(hashOf()).toBe('305419896');
  });

  test('does not depend on the order, but on every key and revision', () => {
    const one = hashOf(['a', '1'], ['b', '2']);
    expect(hashOf(['b', '2'], ['a', '1'])).toBe(one);
    expect(hashOf(['a', '1'])).not.toBe(one);
    expect(hashOf(['a', '1'], ['b', '3'])).not.toBe(one);
    expect(hashOf(['a', '1'], ['c', '2'])).not.toBe(one);
  });

  test.each([31, 32, 63, 64, 126, 127, 254])('tells apart keys of %i characters', (length) => {
    const key = 'k'.repeat(length);
    const other = `${key.slice(0, -1)}x`;
    expect(hashOf([key, '1'])).toMatch(/^[0-9]{1,20}$/);
    expect(hashOf([key, '1'])).not.toBe(hashOf([other, '1']));
  });
});
