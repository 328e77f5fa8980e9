import type { Changelog } from '../../src/changelog/changelog.ts';
import { MAX_TICK, type Tick } from '../../src/model/tick.ts';

/** A line of a changelog, parsed, with its text. */
export interface LogLine {
  readonly text: string;
  readonly tick: Tick;
  readonly type: number;
  readonly tid?: string;
  readonly cid?: string;
  readonly cname?: string;
  readonly key?: string;
  readonly rev?: string;
  readonly oldRev?: string;
  readonly data?: Readonly<Record<string, unknown>>;
  readonly [member: string]: unknown;
}

/** All lines of a changelog above `from`, read page by page. */
export async function logLines(
  changelog: Changelog,
  options: { from?: Tick; to?: Tick; limitBytes?: number } = {},
): Promise<LogLine[]> {
  const { to = MAX_TICK, limitBytes = 1 << 20 } = options;
  let from = options.from ?? 0n;
  const lines: LogLine[] = [];
  for (;;) {
    const page = await changelog.readPage({ from, to, limitBytes });
    for (const text of page.body.toString().split('\n').slice(0, -1)) {
      const parsed = JSON.parse(text) as Record<string, unknown> & { type: number; tick: string };
      lines.push({ ...parsed, text, tick: BigInt(parsed.tick) });
    }
    if (!page.more) return lines;
    from = page.lastScanned;
  }
}
