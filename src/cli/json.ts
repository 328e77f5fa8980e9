import { type Tick, tickFromWire } from '../model/tick.ts';

/** What stands at `path` in an answer; undefined where there is nothing. */
export function at(value: unknown, ...path: readonly string[]): unknown {
  let found = value;
  for (const name of path) {
    if (typeof found !== 'object' || found === null) return undefined;
    found = (found as Record<string, unknown>)[name];
  }
  return found;
}

/** As `at`; undefined unless it is a text. */
export function textAt(value: unknown, ...path: readonly string[]): string | undefined {
  const found = at(value, ...path);
  return typeof found === 'string' ? found : undefined;
}

/** As `at`; undefined unless it is a number. */
export function numberAt(value: unknown, ...path: readonly string[]): number | undefined {
  const found = at(value, ...path);
  return typeof found === 'number' ? found : undefined;
}

/** As `at`; undefined unless it is a tick. */
export function tickAt(value: unknown, ...path: readonly string[]): Tick | undefined {
  return tickFromWire(at(value, ...path));
}

/** As `at`; empty unless it is a list. */
export function listAt(value: unknown, ...path: readonly string[]): readonly unknown[] {
  const found = at(value, ...path);
  return Array.isArray(found) ? (found as unknown[]) : [];
}

/** How many ticks `last` is beyond `tick`. */
export function ticksFrom(tick: Tick, last: Tick): number {
  return last > tick ? Number(last - tick) : 0;
}
