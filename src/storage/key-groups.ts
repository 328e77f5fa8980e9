import { readAll } from './close-iterator.ts';
import type { Level } from './commit-group.ts';
import type { KeyRange } from './keys.ts';

const READ_AHEAD_BYTES = 1024 * 1024;

/**
 * The keys of a range in groups of `count`, the last one smaller. Each group is read for itself, so that
 * the store's state of one moment is held neither while the caller works nor while he writes
 * (docs/ARCHITECTURE.md): keys put behind the last one given out are seen, those before it are not.
 */
export async function* keyGroups(
  level: Level,
  range: KeyRange,
  count: number,
): AsyncGenerator<Buffer[], void, void> {
  const options = { lt: range.end, highWaterMarkBytes: READ_AHEAD_BYTES };
  let keys = await readAll(level.keys({ ...options, gte: range.start }), count);
  for (;;) {
    const last = keys.at(-1);
    if (!last) return;
    yield keys;
    if (keys.length < count) return;
    keys = await readAll(level.keys({ ...options, gt: last }), count);
  }
}
