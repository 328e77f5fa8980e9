import fc from 'fast-check';

/**
 * Arbitrary JSON source text, as clients may write it: any white space, escapes that need not be,
 * numbers in odd spellings, repeated names, names that mean something to JavaScript or to us.
 */

const blank = fc.constantFrom('', '', '', ' ', '\n', '\r\n', '\t ');

const NUMBERS = [
  ...['0', '-0', '1', '-17', '1.5', '-0.125', '0.1', '1e10', '1E+5', '-3e2', '1.0e10', '1.5E-7'],
  ...['9007199254740993', '123456789012345678901234567890', '0e1', '12.50', '1e-300'],
];
const NAMES = [
  ...['a', 'b', 'c', 'data', 'key', '_key', '_rev', '_id', '_from', '_to', '__proto__', '1', '0'],
  ...['constructor', '', ' ', '"data":{', '\\', 'e1', '_k', 'a\nb', 'grün', '😀', '\u2028'],
];

function quoted(text: string, style: number): string {
  if (style === 0) return JSON.stringify(text);
  if (style === 1) return JSON.stringify(text).replaceAll('/', '\\/');
  let out = '"';
  for (let i = 0; i < text.length; i++) {
    out += `\\u${text.charCodeAt(i).toString(16).padStart(4, '0')}`;
  }
  return `${out}"`;
}

const anyString = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 12 }),
  fc.constantFrom('', '\\', '"', '\\"', '1e10', '{"a":[1e5', '}', '/', '\ud800', '\u0000', '\n'),
);
const style = fc.constantFrom(0, 0, 1, 2);
const stringSource = fc.tuple(anyString, style).map(([text, how]) => quoted(text, how));
const nameSource = fc
  .tuple(fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...NAMES) }, anyString), style)
  .map(([text, how]) => quoted(text, how));

function list(parts: string[], blanks: string[]): string {
  return parts.map((part, i) => `${blanks[i] ?? ''}${part}${blanks[i + 1] ?? ''}`).join(',');
}

const sources = fc.letrec<{ value: string; object: string; array: string }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constantFrom('null', 'true', 'false'),
    fc.constantFrom(...NUMBERS),
    stringSource,
    tie('object'),
    tie('array'),
  ),
  object: fc
    .tuple(
      fc.array(fc.tuple(nameSource, blank, tie('value')), { maxLength: 8 }),
      fc.array(blank, { maxLength: 9 }),
      blank,
    )
    .map(
      ([members, blanks, inner]) =>
        `{${inner}${list(
          members.map(([name, gap, value]) => `${name}${gap}:${gap}${value}`),
          blanks,
        )}}`,
    ),
  array: fc
    .tuple(fc.array(tie('value'), { maxLength: 6 }), fc.array(blank, { maxLength: 7 }), blank)
    .map(([values, blanks, inner]) => `[${inner}${list(values, blanks)}]`),
}));

/** Source text of any value. */
export const valueSource: fc.Arbitrary<string> = sources.value;

/** Source text of an object, without white space around it. */
export const objectSource: fc.Arbitrary<string> = sources.object;

/** Source text of an array, without white space around it. */
export const arraySource: fc.Arbitrary<string> = sources.array;

/** White space as it may stand between tokens. */
export const blankSource: fc.Arbitrary<string> = blank;

/** One spelling for equal values, so that texts can be compared by what they mean. */
export function canonical(source: string): string {
  return JSON.stringify(JSON.parse(source));
}
