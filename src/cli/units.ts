import { nounFor } from '../base/words.ts';

const KIB = 1024;
const BYTE_UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
const COUNT_UNITS = ['', ' k', ' M', ' G', ' T'];
const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const YEAR = 365 * DAY;

/** `512 B`, `1.5 KiB`, `340 MiB`. */
export function bytesText(bytes: number): string {
  const [value, unit] = scaled(bytes, KIB, BYTE_UNITS);
  return `${unit === 'B' ? Math.round(bytes).toString() : threeDigits(value)} ${unit}`;
}

/** `950`, `1.25 k`, `3.40 M`: for what changes while one looks at it. */
export function roughCount(count: number): string {
  const [value, unit] = scaled(count, 1000, COUNT_UNITS);
  return `${unit === '' ? Math.round(count).toString() : threeDigits(value)}${unit}`;
}

/** `12/s`, `0.5/s`, `1.25 k/s`; what is rare a minute: `2.4/min`. */
export function rateText(perSecond: number): string {
  if (perSecond > 0 && perSecond < 0.1) return `${(perSecond * MINUTE).toFixed(1)}/min`;
  if (perSecond > 0 && perSecond < 10) return `${perSecond.toFixed(1)}/s`;
  return `${roughCount(perSecond)}/s`;
}

/** `25.1 MiB/s`. */
export function byteRateText(bytesPerSecond: number): string {
  return `${bytesText(bytesPerSecond)}/s`;
}

/** `1,234,567`: a number that counts. */
export function exactCount(count: number): string {
  return count.toString().replace(/\B(?=(?:\d{3})+$)/g, ',');
}

/** `1,234 documents`, `1 document`. */
export function exactCounted(count: number, noun: string): string {
  return `${exactCount(count)} ${nounFor(count, noun)}`;
}

/** `0.4 s`, `12 s`, `2 m 10 s`, `3 h 5 m`, `2 d 4 h`: two units at most. */
export function durationText(seconds: number): string {
  if (seconds < 10) return `${(Math.round(seconds * 10) / 10).toString()} s`;
  const whole = Math.round(seconds);
  if (whole < MINUTE) return `${whole} s`;
  if (whole < HOUR) return two(whole, MINUTE, 'm', 1, 's');
  if (whole < DAY) return two(whole, HOUR, 'h', MINUTE, 'm');
  if (whole < YEAR) return two(whole, DAY, 'd', HOUR, 'h');
  return 'over a year';
}

/** `24 %`; never 100 before the end. */
export function percentText(done: number, expected: number): string {
  if (done >= expected) return '100 %';
  return `${Math.min(99, Math.floor((done / expected) * 100))} %`;
}

/** Columns as wide as their widest cell; those whose header is in `right` end at one column. */
export function alignedColumns(
  rows: readonly (readonly string[])[],
  right: ReadonlySet<number> = new Set(),
): string[] {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, cell.length);
  }
  return rows.map((row) =>
    row
      .map((cell, i) =>
        right.has(i) ? cell.padStart(widths[i] ?? 0) : cell.padEnd(widths[i] ?? 0),
      )
      .join('  ')
      .trimEnd(),
  );
}

function scaled(value: number, step: number, units: readonly string[]): [number, string] {
  let rest = value;
  let i = 0;
  // What would be printed as the next unit is it.
  while (rest >= step - 0.5 && i < units.length - 1) {
    rest /= step;
    i++;
  }
  return [rest, units[i] ?? ''];
}

function threeDigits(value: number): string {
  return value.toFixed(value < 9.995 ? 2 : value < 99.95 ? 1 : 0);
}

function two(seconds: number, large: number, a: string, small: number, b: string): string {
  const first = Math.floor(seconds / large);
  const second = Math.floor((seconds % large) / small);
  return second === 0 ? `${first} ${a}` : `${first} ${a} ${second} ${b}`;
}
