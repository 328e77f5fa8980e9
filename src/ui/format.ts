/** Numbers as people read them. */

const LOCALE = 'en-GB';
const whole = new Intl.NumberFormat(LOCALE);
const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const;
const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** `1,234,567`; of a tick as text, too. */
export function number(value: number | bigint): string {
  return whole.format(value);
}

/** Three digits that count, such as `1.23`, `45.6`, `789`; thousands are whole. */
export function rounded(value: number): string {
  if (value >= 100 || value === 0) return number(Math.round(value));
  return String(Number(value.toPrecision(value >= 10 ? 3 : 2)));
}

/** `1.2/s`; what is rare a minute: `2.4/min`. */
export function rate(perSecond: number): string {
  const isRare = perSecond > 0 && perSecond < 0.1;
  return isRare ? `${rounded(perSecond * MINUTE)}/min` : `${rounded(perSecond)}/s`;
}

/** `34.5 MiB`. */
export function bytes(value: number): string {
  let size = value;
  let unit = 0;
  while (size >= 1024 && unit < UNITS.length - 1) {
    size /= 1024;
    unit++;
  }
  const isWhole = unit === 0 || size >= 100 || Number.isInteger(size);
  const shown = isWhole ? number(Math.round(size)) : size.toFixed(1);
  return `${shown} ${UNITS[unit] ?? 'B'}`;
}

/** `0.4 s`, `12 s`, `3 min 20 s`, `2 h 5 min`, `4 d 3 h`. */
export function duration(seconds: number): string {
  if (seconds < 10) return `${Number(seconds.toFixed(1))} s`;
  const all = Math.round(seconds);
  if (all < MINUTE) return `${all} s`;
  if (all < HOUR) return two(all, MINUTE, 'min', 1, 's');
  if (all < DAY) return two(all, HOUR, 'h', MINUTE, 'min');
  return two(all, DAY, 'd', HOUR, 'h');
}

function two(all: number, big: number, bigName: string, small: number, smallName: string): string {
  const rest = Math.floor((all % big) / small);
  const head = `${Math.floor(all / big)} ${bigName}`;
  return rest === 0 ? head : `${head} ${rest} ${smallName}`;
}

/** `1 document`, `2 documents`. */
export function counted(count: number, noun: string): string {
  return `${number(count)} ${noun}${count === 1 ? '' : 's'}`;
}

/** `14:03:22`, with the day before it when that is not today's. */
export function clock(time: string | number, now = Date.now()): string {
  const date = new Date(time);
  if (Number.isNaN(date.getTime())) return '';
  const hours = date.toLocaleTimeString(LOCALE);
  const isToday = date.toDateString() === new Date(now).toDateString();
  return isToday ? hours : `${date.toLocaleDateString(LOCALE)}, ${hours}`;
}

/** How many seconds lie between two times of the server. */
export function secondsBetween(from: string, to: string): number {
  return Math.max(0, (Date.parse(to) - Date.parse(from)) / 1000);
}

/** How much of a whole is done, from 0 to 1; undefined where the whole is not known. */
export function share(done: number, expected: number | null): number | undefined {
  if (expected === null) return undefined;
  return expected === 0 ? 1 : Math.min(1, done / expected);
}

/** JSON with a member a line; what was cut off, or is none, as it is. */
export function indented(json: string): string {
  try {
    return JSON.stringify(JSON.parse(json), null, 2);
  } catch {
    return json;
  }
}
