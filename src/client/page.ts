import { crc32 } from 'node:zlib';
import type { Tick } from '../model/tick.ts';
import { Header } from '../protocol/headers.ts';
import type { PageLine, Scope, ScopedCall } from './scope.ts';
import type { HttpAnswer } from './server-http.ts';

/** What pages of the log and of a dump have in common (contract 2.6, 3.4). */
export interface Page {
  readonly lines: readonly PageLine[];
  /** Whether there is more behind it. */
  readonly checkMore: boolean;
  /** Tick of the last line, 0 without one. */
  readonly lastIncluded: Tick;
  readonly headers: HttpAnswer['headers'];
}

/**
 * Asks for a page of lines.
 * @throws TicklogError as `Scope.send`; 1401 for a page that is damaged or not complete
 */
export async function readPage(scope: Scope, path: string, call: ScopedCall): Promise<Page> {
  const { body, headers } = await scope.send('GET', path, call);
  const sum = headers[Header.crc32];
  if (sum !== undefined && Number(sum) !== crc32(body)) {
    throw scope.invalid('a page fails its checksum');
  }
  return {
    lines: linesOf(scope, body.toString('utf8')),
    checkMore: headers[Header.checkMore] === 'true',
    lastIncluded: scope.tick(headers[Header.lastIncluded], Header.lastIncluded),
    headers,
  };
}

function linesOf(scope: Scope, text: string): PageLine[] {
  const lines = text.split('\n');
  if (lines.pop() !== '') throw scope.invalid('the last line of a page is not complete');
  return lines.map((line) => scope.line(line));
}
