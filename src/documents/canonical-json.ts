import { parseJson, splitArray, splitObject } from '../protocol/json-text.ts';

/** Integers with so many digits may not be exact as doubles. */
const LONG_NUMBER = /[0-9]{16}/;
const INTEGER = /^-?(?:0|[1-9][0-9]*)$/;
const MIN_INT64 = -(1n << 63n);
const MAX_UINT64 = (1n << 64n) - 1n;
/** As deep as documents can be, and a level for what they are wrapped in. */
const MAX_DEPTH = 202;

/**
 * Prints a JSON object so that two have the same text exactly when they mean the same: names are sorted,
 * white space, escapes and the spelling of numbers are gone. Integers that fit 64 bits are compared
 * exactly, all other numbers as doubles.
 *
 * @param text source of an object, known to be valid
 * @param leaveOut names on the top level that do not take part
 */
export function canonicalObject(text: string, leaveOut: ReadonlySet<string>): string {
  const members = LONG_NUMBER.test(text)
    ? sourceMembers(text, 0, text.length)
    : valueMembers(parseJson(text) as Readonly<Record<string, unknown>>);
  return printMembers(members.filter(([name]) => !leaveOut.has(name)));
}

type PrintedMember = readonly [name: string, value: string];

function printMembers(members: readonly PrintedMember[]): string {
  const sorted = [...members].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  return `{${sorted.map(([name, value]) => `${JSON.stringify(name)}:${value}`).join(',')}}`;
}

function valueMembers(value: Readonly<Record<string, unknown>>): PrintedMember[] {
  return Object.keys(value).map((name) => [name, printValue(value[name])]);
}

function printValue(value: unknown): string {
  if (typeof value === 'number') return printNumber(value);
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(printValue).join(',')}]`;
  return printMembers(valueMembers(value as Record<string, unknown>));
}

/** The slow way, for documents with long numbers: over the source, because parsing would round them. */
function sourceMembers(text: string, start: number, end: number): PrintedMember[] {
  const members = splitObject(text, start, end, MAX_DEPTH) ?? [];
  // Of a repeated name the last counts, as when it is parsed.
  const byName = new Map(
    members.map(({ name, valueStart, valueEnd }) => [
      name,
      printSource(text, valueStart, valueEnd),
    ]),
  );
  return [...byName];
}

function printSource(text: string, start: number, end: number): string {
  const first = text[start];
  if (first === '{') return printMembers(sourceMembers(text, start, end));
  if (first === '[') {
    const elements = splitArray(text, start, MAX_DEPTH) ?? [];
    return `[${elements.map((each) => printSource(text, each.start, each.end)).join(',')}]`;
  }
  const source = text.slice(start, end);
  if (!INTEGER.test(source)) return printValue(JSON.parse(source));
  const exact = BigInt(source);
  return exact >= MIN_INT64 && exact <= MAX_UINT64 ? exact.toString() : printNumber(Number(source));
}

/** Doubles that are integers of 64 bits look as those read from source do. */
function printNumber(value: number): string {
  if (Number.isSafeInteger(value)) return (value === 0 ? 0 : value).toString();
  if (!Number.isFinite(value)) return value > 0 ? '1e999' : '-1e999';
  if (!Number.isInteger(value) || Math.abs(value) > 2 ** 64) return value.toString();
  const exact = BigInt(value);
  return exact >= MIN_INT64 && exact <= MAX_UINT64 ? exact.toString() : value.toString();
}
