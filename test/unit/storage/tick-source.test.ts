import { describe, expect, test } from 'vitest';
import { MAX_TICK } from '../../../src/model/tick.ts';
import { CEILING_STEP, TickSource } from '../../../src/storage/tick-source.ts';
import { TestCore } from '../../support/store.ts';

describe('the tick counter', () => {
  test('gives nothing to be shown at once before a ceiling is on disk', () => {
    const ticks = new TickSource({ next: 1000n, ceiling: 1000n });
    expect(ticks.drawBelowCeiling()).toBeUndefined();
    const ceiling = ticks.ceilingToWrite!;
    expect(ceiling).toBe(1000n + CEILING_STEP);
    expect(ticks.drawBelowCeiling()).toBeUndefined();
    ticks.ceilingWritten(ceiling);
    expect(ticks.drawBelowCeiling()).toBe(1000n);
    expect(ticks.last).toBe(1000n);
  });

  test('asks for a higher ceiling before the one on disk is reached, and not before', () => {
    const ticks = new TickSource({ next: 1n, ceiling: CEILING_STEP });
    expect(ticks.ceilingToWrite).toBeUndefined();
    let drawn = 0n;
    while (ticks.ceilingToWrite === undefined) drawn = ticks.draw();
    expect(drawn).toBeLessThan(CEILING_STEP);
    expect(ticks.ceilingToWrite).toBeGreaterThan(CEILING_STEP);
  });

  test('is pushed above a foreign tick, and not by a smaller one', () => {
    const ticks = new TickSource({ next: 10n, ceiling: 100n });
    ticks.observe(5n);
    expect(ticks.draw()).toBe(10n);
    ticks.observe(50n);
    expect(ticks.draw()).toBe(51n);
    ticks.observe(500n);
    expect(ticks.drawBelowCeiling()).toBeUndefined();
    expect(ticks.ceilingToWrite).toBeGreaterThan(501n);
  });

  test('P10: refuses a foreign tick that leaves no room above it, and stays where it was', () => {
    const ticks = new TickSource({ next: 10n, ceiling: 100n });
    expect(() => ticks.observe(MAX_TICK)).toThrow(
      expect.objectContaining({ kind: 'badParameter', httpStatus: 400 }) as Error,
    );
    expect(() => ticks.observe((1n << 62n) + 1n)).toThrow(/2\^62/);
    expect(ticks.draw()).toBe(10n);
  });

  test('refuses to go on when it is used up', () => {
    const ticks = new TickSource({ next: MAX_TICK - 1n, ceiling: MAX_TICK });
    expect(ticks.draw()).toBe(MAX_TICK - 1n);
    expect(() => ticks.draw()).toThrow(/used up/);
  });
});

describe('ticks across restarts', () => {
  test('no tick is given twice, however the ones before were given', async () => {
    await using core = await TestCore.open();
    const seen = new Set<bigint>();
    let largest = 0n;
    const note = (tick: bigint): void => {
      expect(seen.has(tick)).toBe(false);
      expect(tick).toBeGreaterThan(largest);
      seen.add(tick);
      largest = tick;
    };
    for (let round = 0; round < 4; round++) {
      expect(core.store.incarnation.firstTick).toBeGreaterThan(largest);
      for (let i = 0; i < 50; i++) {
        note(await core.store.drawTick());
        note(await core.store.commit((tx) => tx.drawTick()));
      }
      await core.store.commit((tx) => tx.observeTick(largest + (1n << 24n)));
      note(await core.store.drawTick());
      await core.reopen();
    }
  });

  test('the first tick of a new server comes from the clock, in units of ten microseconds', async () => {
    await using core = await TestCore.open({ clock: { nowMs: () => 1_700_000_000_000 } });
    expect(core.store.incarnation.firstTick).toBe(170_000_000_000_000n);
  });
});
