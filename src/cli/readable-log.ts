const LEVELS: ReadonlyMap<unknown, string> = new Map<unknown, string>([
  [20, 'debug'],
  [30, 'info'],
  [40, 'warn'],
  [50, 'error'],
]);
/** Shown in another way, or of no use to somebody who watches the terminal of this process. */
const OWN: ReadonlySet<string> = new Set(['level', 'time', 'msg', 'err', 'pid', 'hostname']);

/**
 * One line of pino's JSON for a terminal: time, level, message, context, and below it the stack of an
 * error. A line that is no JSON stays as it is.
 */
export function readableLine(line: string): string {
  let entry: Readonly<Record<string, unknown>>;
  try {
    entry = JSON.parse(line) as Readonly<Record<string, unknown>>;
  } catch {
    // What is not ours is better shown as it is than not at all.
    return line;
  }
  const { level, time, msg, err } = entry;
  const clock = typeof time === 'number' ? new Date(time).toISOString().slice(11, 23) : '';
  const context = Object.entries(entry)
    .filter(([name]) => !OWN.has(name))
    .map(([name, value]) => ` ${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join('');
  const label = (LEVELS.get(level) ?? '').padEnd(5);
  const text = typeof msg === 'string' ? msg : '';
  return `${clock} ${label} ${text}${context}\n${errorText(err)}`;
}

function errorText(err: unknown): string {
  if (typeof err !== 'object' || err === null) return '';
  const { stack, message } = err as Record<string, unknown>;
  const text = typeof stack === 'string' ? stack : message;
  return typeof text === 'string' ? `  ${text.replaceAll('\n', '\n  ')}\n` : '';
}
