import { watched } from '../base/watch.ts';
import { listAt, numberAt, textAt } from './json.ts';

/** Between two looks at how far the servers are. */
const LOOK_MS = 700;

/** Something long that two servers do at the same time. */
export interface LongPair<S, T> {
  readonly run: (side: S) => Promise<T>;
  /** How much one of them has done, from 0 to 1; undefined where it does not tell. */
  readonly look: (side: S, signal: AbortSignal) => Promise<number | undefined>;
  /** Told now and then what the slower one has done, from 0 to 1. */
  readonly tell: (share: number) => void;
}

/** Runs something long on both servers, and looks meanwhile how far it is. Rejects as `run`. */
export async function onBoth<S, T>(
  sides: { readonly a: S; readonly b: S },
  { run, look, tell }: LongPair<S, T>,
): Promise<readonly [a: T, b: T]> {
  const shares = { a: 0, b: 0 };
  const one = async (name: 'a' | 'b'): Promise<T> => {
    const side = sides[name];
    const result = await watched(run(side), {
      everyMs: LOOK_MS,
      look: async (signal) => {
        shares[name] = (await look(side, signal)) ?? 0;
        tell(Math.min(shares.a, shares.b));
      },
    });
    shares[name] = 1;
    return result;
  };
  return Promise.all([one('a'), one('b')]);
}

/** Of what goes over a collection, how much the newest of a kind has done, from 0 to 1; undefined without one. */
export function shareOfWork(answer: unknown, kind: string): number | undefined {
  const work = listAt(answer, 'works').findLast((each) => textAt(each, 'kind') === kind);
  const done = numberAt(work, 'documentsDone');
  const expected = numberAt(work, 'documentsExpected');
  if (done === undefined || expected === undefined) return undefined;
  return expected === 0 ? 1 : done / expected;
}
