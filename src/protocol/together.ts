/**
 * How several small collections come in one answer (`dump-collections`, of ticklog servers only): a line of JSON that
 * lists them, and behind it their pages, in the order of the list.
 */

/** One of them: all of its lines up to the tick that was asked for. */
export interface TogetherEntry {
  /** Its id. */
  readonly collection: string;
  /** Of its lines, in bytes. */
  readonly length: number;
  /** Tick of its last line, `0` without one. */
  readonly lastIncluded: string;
  /** Tick from which on its removals are complete. */
  readonly deletionsSince: string;
}

/** At most so many are asked for at a time. */
export const TOGETHER_MAX = 256;

const NEWLINE = 0x0a;
const DIGITS = /^\d{1,20}$/;

export function listLine(entries: readonly TogetherEntry[]): Buffer {
  return Buffer.from(`${JSON.stringify(entries)}\n`);
}

/**
 * Takes such a body apart.
 * @returns each entry with its lines, which are a part of `body`; undefined when it is not one
 */
export function readTogether(
  body: Buffer,
): readonly (TogetherEntry & { readonly lines: Buffer })[] | undefined {
  const listEnd = body.indexOf(NEWLINE);
  const entries = listEnd < 0 ? undefined : readList(body.toString('utf8', 0, listEnd));
  if (!entries) return undefined;
  let at = listEnd + 1;
  const read = entries.map((entry) => {
    const start = at;
    at += entry.length;
    return { ...entry, lines: body.subarray(start, at) };
  });
  return at === body.length ? read : undefined;
}

function readList(text: string): readonly TogetherEntry[] | undefined {
  let list: unknown;
  try {
    list = JSON.parse(text);
  } catch {
    return undefined;
  }
  return Array.isArray(list) && list.every(isEntry) ? list : undefined;
}

function isEntry(value: unknown): value is TogetherEntry {
  if (typeof value !== 'object' || value === null) return false;
  const { collection, length, lastIncluded, deletionsSince } = value as Record<string, unknown>;
  if (typeof length !== 'number' || !Number.isSafeInteger(length) || length < 0) return false;
  const digits = [collection, lastIncluded, deletionsSince];
  return digits.every((each) => typeof each === 'string' && DIGITS.test(each));
}
