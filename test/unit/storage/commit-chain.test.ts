import { describe, expect, test } from 'vitest';
import { CommitChain } from '../../../src/storage/commit-chain.ts';

const WRITE_BUFFER_BYTES = 1000;

interface Stored {
  key: Buffer;
  value: Buffer;
}

function chainOf(links: readonly Stored[]): CommitChain {
  const chain = new CommitChain({ writeBufferBytes: WRITE_BUFFER_BYTES });
  chain.load(links);
  return chain;
}

/** Adds links of commits of this size, and removes those that are stale, as the queue does. */
function extend(chain: CommitChain, links: Stored[], count: number, bytes = 100): void {
  for (let i = 0; i < count; i++) {
    const sequence = BigInt(chain.last?.sequence ?? 0);
    const { key, value, stale } = chain.next(1000n + sequence, bytes);
    links.push({ key, value });
    for (const old of stale) {
      const at = links.findIndex((link) => link.key.equals(old));
      expect(at).toBe(0);
      links.splice(at, 1);
    }
  }
}

describe('the commit chain', () => {
  test('goes on where it ended, over any number of restarts', () => {
    const links: Stored[] = [];
    let sequence = 0;
    for (const count of [1, 5, 200, 3, 1, 1, 90]) {
      const chain = chainOf(links);
      expect(chain.last?.sequence ?? 0).toBe(sequence);
      extend(chain, links, count);
      sequence += count;
    }
    expect(chainOf(links).last?.tick).toBe(1000n + BigInt(sequence - 1));
  });

  test('keeps links of at least four write buffers, and not many more', () => {
    const links: Stored[] = [];
    const chain = chainOf(links);
    extend(chain, links, 10_000);
    expect((links.length - 1) * 100).toBeLessThanOrEqual(4 * WRITE_BUFFER_BYTES);
    expect(links.length * (100 + 41)).toBeGreaterThan(4 * WRITE_BUFFER_BYTES);
    extend(chain, links, 100, 1_000_000);
    // However large, a commit counts as one buffer: two buffers can hold four of them.
    expect(links).toHaveLength(5);
  });

  test('commits without content do not keep links for ever', () => {
    const links: Stored[] = [];
    const chain = chainOf(links);
    extend(chain, links, 10_000, 0);
    expect(links.length).toBeLessThan(200);
  });

  test('refuses when a link is missing anywhere but at the end', () => {
    const links: Stored[] = [];
    extend(chainOf(links), links, 60);
    for (let i = 0; i < links.length - 1; i++) {
      const without = links.filter((_, n) => n !== i);
      expect(() => chainOf(without), `link ${i}`).toThrow(
        expect.objectContaining({
          kind: 'storageDamaged',
          message: expect.stringMatching(/missing.*Restore.*backup.*copy the data anew/) as string,
        }) as Error,
      );
    }
  });

  test('refuses when several links are missing at the start', () => {
    const links: Stored[] = [];
    extend(chainOf(links), links, 60);
    for (const count of [2, 10, links.length - 1]) {
      expect(() => chainOf(links.slice(count))).toThrow(/missing/);
    }
  });

  test('refuses a link with any flipped bit', () => {
    const links: Stored[] = [];
    extend(chainOf(links), links, 3);
    const { value } = links[1]!;
    for (let bit = 0; bit < value.length * 8; bit++) {
      value[bit >> 3] = value[bit >> 3]! ^ (1 << (bit & 7));
      expect(() => chainOf(links)).toThrow(
        expect.objectContaining({ kind: 'storageDamaged' }) as Error,
      );
      value[bit >> 3] = value[bit >> 3]! ^ (1 << (bit & 7));
    }
    expect(chainOf(links).last?.sequence).toBe(3);
  });

  test('refuses links of another history, even with the right numbers', () => {
    const one: Stored[] = [];
    extend(chainOf(one), one, 5, 100);
    const two: Stored[] = [];
    const other = chainOf(two);
    other.next(7n, 100);
    const fork: Stored[] = [one[0]!];
    for (let i = 0; i < 3; i++) {
      const { key, value } = other.next(8n, 100);
      fork.push({ key, value });
    }
    expect(() => chainOf(fork)).toThrow(/commit 2 is missing/);
  });
});
