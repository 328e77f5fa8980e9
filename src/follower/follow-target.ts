import type { Tick } from '../model/tick.ts';
import { type QueryValues, replicationPath, walTailPath } from '../protocol/paths.ts';

/** By PUT, with what is open (2.7 to 3.3), or by `wal/tail` (3.4 and later). */
export type FollowForm =
  | {
      readonly kind: 'open-transactions';
      /** Below this tick only lines of these transactions are wanted. */
      readonly firstRegularTick: Tick;
      readonly tids: readonly string[];
    }
  | {
      readonly kind: 'wal-tail';
      /** `lastScanned` of the page before, 0 for the first one. */
      readonly lastScanned: Tick;
    };

/** Where the log of a leader is asked for, and the body of that request, which is a PUT then. */
export function followTarget(
  database: string,
  form: FollowForm | undefined,
  query: QueryValues,
): { path: string; body?: readonly string[] } {
  switch (form?.kind) {
    case undefined:
      return { path: replicationPath(database, 'logger-follow', query) };
    case 'open-transactions': {
      const values = { ...query, firstRegularTick: form.firstRegularTick };
      return { path: replicationPath(database, 'logger-follow', values), body: form.tids };
    }
    case 'wal-tail': {
      const values = { ...query, lastScanned: form.lastScanned };
      return { path: walTailPath(database, values), body: [] };
    }
  }
}
