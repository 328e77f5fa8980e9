import { crc32 } from 'node:zlib';
import { Header } from './headers.ts';

/** What a page says of itself, in the order in which it is sealed. The sum of the body is among it. */
const SEALED = [
  ...[Header.checkMore, Header.lastIncluded, Header.lastScanned, Header.lastTick, Header.active],
  ...[
    Header.fromPresent,
    Header.deletionsSince,
    Header.committedAt,
    Header.incarnation,
    Header.crc32,
  ],
] as const;

/** What a page is the answer to: `from` and `to` as they hold, defaults filled in. */
export interface PageRequest {
  readonly kind: 'log' | 'dump' | 'dump-collections';
  readonly database: string;
  /** As the request names it, or them; empty without one. */
  readonly collection: string;
  readonly from: bigint;
  readonly to: bigint;
  readonly includeSystem: boolean;
}

/**
 * The sum over what was asked and what the headers of the answer say. Who asked can tell by it that an answer is
 * whole, that nothing between him and the server has changed its headers, and that it is the one to his question.
 *
 * @param headers of the answer; others than those of pages are passed over
 * @returns a CRC32 in decimal
 */
export function pageSeal(
  request: PageRequest,
  headers: Readonly<Record<string, string | string[] | undefined>>,
): string {
  const { kind, database, collection, from, to, includeSystem } = request;
  const asked = [kind, database, collection, String(from), String(to), String(includeSystem)];
  const said = SEALED.map((name) => String(headers[name] ?? ''));
  return String(crc32([...asked, ...said].join('\n')));
}
