import { assert } from '../base/assert.ts';

/** The two ways to print a page of a journal other than it is stored (contract 3.4). */

const NEWLINE = 0x0a;
const COMMA = 0x2c;
const OPEN_BRACE = 0x7b;

/** The stored shape of an edge up to the slash in `_to`: the names of both collections are groups. */
const EDGE_ENDS =
  /("data":\{"_key":"[^"]*","_rev":"[^"]*","_from":")([^"\\/]+)(\\?\/[^"]*","_to":")([^"\\/]+)/;

/** The lines without their ticks (`ticks=false`). */
export function withoutTicks(body: Buffer): Buffer {
  const out = Buffer.allocUnsafe(body.length);
  let at = 0;
  for (let start = 0; start < body.length;) {
    const end = body.indexOf(NEWLINE, start) + 1;
    // The tick is the first member, and the only one that ends before the first comma.
    const comma = body.indexOf(COMMA, start);
    assert(end > 0 && comma > 0 && comma < end, 'a stored line begins with its tick');
    out[at++] = OPEN_BRACE;
    at += body.copy(out, at, comma + 1, end);
    start = end;
  }
  return out.subarray(0, at);
}

/**
 * Edges with the ids of collections in `_from` and `_to` (`translateIds=false`).
 *
 * @param cidOf the id of a collection of this name; where it knows none the name stays
 */
export function withCollectionIds(
  body: Buffer,
  cidOf: (name: string) => string | undefined,
): Buffer {
  const lines: string[] = [];
  for (let start = 0; start < body.length;) {
    const end = body.indexOf(NEWLINE, start) + 1;
    assert(end > 0, 'a page ends with a whole line');
    const line = body.toString('utf8', start, end);
    lines.push(
      line.replace(
        EDGE_ENDS,
        (_, head: string, from: string, middle: string, to: string) =>
          head + (cidOf(from) ?? from) + middle + (cidOf(to) ?? to),
      ),
    );
    start = end;
  }
  return Buffer.from(lines.join(''));
}
