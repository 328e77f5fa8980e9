import type { LeaderState } from './leader-answers.ts';

/** What leaders of different generations have and do (contract 7.1), by what one says of itself. */
export interface LeaderTraits {
  /** One of ours: it holds requests, knows its gaps surely, and says which run it is in. */
  readonly isTicklog: boolean;
  /** 1.4 to 2.1: idle times that are fixed, and a logger that may be stopped. */
  readonly isClassic: boolean;
  /** From 2.2 on the lines of transactions may lie between each other. */
  readonly isInterleaved: boolean;
  /** It can be asked not to discard its log (contract 2.10). */
  readonly hasBarriers: boolean;
  /** 2.7 to 3.3: it lists open transactions and is asked for its log by PUT (contract 2.6, 2.9). */
  readonly listsOpenTransactions: boolean;
  /** It lists the keys of a collection with their revisions (contract 3.5). */
  readonly hasKeys: boolean;
  /** Inventory and dump want to know the batch (contract 3.2 to 3.4). */
  readonly wantsBatchId: boolean;
  /** Its batch is a snapshot whose pages can be had once only (contract 3.4). */
  readonly isSnapshot: boolean;
  /** From 3.4 on the log is read by `wal/tail`, where neighbouring lines may have one tick (7.2). */
  readonly hasWalTail: boolean;
}

const MINORS = 100;
const VERSION = /^(\d+)\.(\d+)/;

/** What the leader that says this of itself has. Versions that cannot be read count as 1.4. */
export function leaderTraits({ version, engine, incarnations }: LeaderState): LeaderTraits {
  const isTicklog = incarnations !== undefined;
  const [, major = '1', minor = '4'] = VERSION.exec(version) ?? [];
  const number = Number(major) * MINORS + Number(minor);
  const from = (first: number): boolean => !isTicklog && number >= first;
  const isRocks = from(302) && (engine === undefined ? number >= 304 : engine !== 'mmfiles');
  return {
    isTicklog,
    isClassic: !isTicklog && number < 202,
    isInterleaved: from(202),
    hasBarriers: isTicklog || (from(208) && !isRocks),
    listsOpenTransactions: from(207) && number < 304,
    hasKeys: isTicklog || from(207),
    wantsBatchId: from(302),
    isSnapshot: isRocks,
    hasWalTail: from(304),
  };
}
