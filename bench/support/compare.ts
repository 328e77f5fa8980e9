import { readFileSync } from 'node:fs';
import type { Result } from './report.ts';
import { formatCount, formatTable } from './table.ts';
import { titleOf } from './workload-names.ts';

/** What an earlier run wrote, as far as it is compared. */
export interface Earlier {
  readonly commit: string;
  readonly documents: number;
  readonly changes: number;
  readonly results: readonly EarlierResult[];
}

type EarlierResult = Pick<Result['median'], 'workload' | 'system' | 'lag'> &
  Pick<Result, 'perSecond' | 'ofLimit'>;

/** @throws Error that names the file, when it is not what `--json` wrote */
export function readEarlier(file: string): Earlier {
  try {
    const content = JSON.parse(readFileSync(file, 'utf8')) as Partial<Earlier>;
    const { commit, documents, changes, results } = content;
    if (commit === undefined || documents === undefined || changes === undefined || !results) {
      throw new Error('it holds no results');
    }
    return { commit, documents, changes, results };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`${file} cannot be compared with: ${reason}`, { cause: error });
  }
}

/**
 * What changed since: rates, and how much nearer to the limit of its own run each workload is. Machines and days
 * cancel out in the latter; above 1 is better. Of the lag it is the p50, below 1 is better.
 */
export function comparisonTable(earlier: Earlier, results: readonly Result[]): string {
  const head = ['', 'then', 'now', 'now/then', 'of limit then', 'now', 'now/then'];
  const rows = results.flatMap((result) => {
    const { workload, system, lag } = result.median;
    const then = earlier.results.find(
      (other) => other.workload === workload && other.system === system,
    );
    if (!then) return [];
    const title = `${titleOf(workload)}${system === undefined ? '' : ` ${system}`}`;
    if (lag && then.lag) {
      const [before, now] = [then.lag.p50Ms, lag.p50Ms];
      return [[title, `${before.toFixed(2)} ms`, `${now.toFixed(2)} ms`, ratio(now, before)]];
    }
    const rates = [formatCount(then.perSecond), formatCount(result.perSecond)];
    const cells = [title, ...rates, ratio(result.perSecond, then.perSecond)];
    const [before, now] = [then.ofLimit, result.ofLimit];
    if (before === undefined || now === undefined) return [cells];
    return [[...cells, before.toFixed(2), now.toFixed(2), ratio(now, before)]];
  });
  return formatTable(head, rows);
}

function ratio(now: number, before: number): string {
  return (now / before).toFixed(2);
}
