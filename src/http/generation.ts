import { Header } from '../protocol/headers.ts';
import type { Exchange } from './context.ts';

/** The two kinds of shapes that answers can have: those of 1.4 to 2.x, and those of 3.x. */
export type Generation = '1.4' | '3.x';

/** From this API version on clients want the shapes of 3.x. */
const FIRST_OF_3 = 30_000;
/** `10403`, or with points as a real 1.4 follower sends it: `1.4`. */
const VERSION = /^\s*(\d{1,9})(?:\.(\d{1,4}))?/;

/** Paths that 1.4 does not have, by the methods with which they are new. */
const PATHS_OF_3: readonly (readonly [methods: RegExp, path: RegExp])[] = [
  [
    /./,
    /^\/_api\/replication\/+(?:barrier|keys|determine-open-transactions|make-(?:slave|follower)|logger-(?:first-tick|tick-ranges)|clusterInventory|applier-state-all)(?:\/|$)/,
  ],
  [/^PUT$/, /^\/_api\/replication\/+logger-follow(?:\/|$)/],
  [/^(?:POST|PUT|PATCH|DELETE)$/, /^\/_api\/document\/[^/]+\/?$/],
  [/./, /^\/_api\/transaction\/./],
  [/./, /^\/_api\/wal\//],
];

/**
 * Which shapes the answer to a request has (contract 0, 2.8). A path that only 3.x has gets those of
 * 3.x; otherwise the header `x-arango-version` decides, and without one that can be read the
 * version that the server claims to be.
 */
export function generationOf(ctx: Exchange): Generation {
  const { method, path } = ctx;
  if (PATHS_OF_3.some(([methods, paths]) => methods.test(method) && paths.test(path))) return '3.x';
  const header = ctx.headers[Header.version];
  const wanted = typeof header === 'string' ? generationOfClient(header) : undefined;
  return wanted ?? ctx.state.generation;
}

/** The shapes of a server of this version, such as `1.4.3`. */
export function generationOfVersion(version: string): Generation {
  return Number.parseInt(version, 10) >= 3 ? '3.x' : '1.4';
}

/** Undefined when the text says nothing. */
function generationOfClient(header: string): Generation | undefined {
  const [, number, minor] = VERSION.exec(header) ?? [];
  if (number === undefined) return undefined;
  const version = minor === undefined ? Number(number) : Number(number) * 10_000;
  return version >= FIRST_OF_3 ? '3.x' : '1.4';
}
