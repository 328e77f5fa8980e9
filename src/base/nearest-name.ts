/** What people call it who know other servers. */
const ALIASES: ReadonlyMap<string, string> = new Map([
  ...['port', 'host', 'listen', 'address', 'bind', 'url'].map(
    (each) => [each, 'server.endpoint'] as const,
  ),
  ...['dir', 'datadir', 'data-dir', 'data'].map((each) => [each, 'database.directory'] as const),
  ...['pass', 'passwd'].map((each) => [each, 'server.password-file'] as const),
]);
/** A beginning of a name says which one is meant from this length on. */
const BEGINNING_MIN = 4;
/** One letter in so many may be wrong. */
const LETTERS_PER_SLIP = 3;
/** That only the last parts are alike counts as much. */
const PART_SLIPS = 0.5;

/**
 * The name that was probably meant: one that is spelled nearly so, or of whose parts the last one is.
 * @param known such as `server.endpoint`; the first of several that are as near
 */
export function nearestName(wanted: string, known: readonly string[]): string | undefined {
  const name = wanted.toLowerCase();
  const aliases = [...ALIASES].filter(([, each]) => known.includes(each));
  const candidates = [...known.map((each) => [each, each] as const), ...aliases];
  let nearest: string | undefined;
  let least = Infinity;
  for (const [spelling, each] of candidates) {
    const ofLast = slips(lastPart(name), lastPart(spelling)) + PART_SLIPS;
    const distance = Math.min(slips(name, spelling), ofLast);
    if (distance < least) [nearest, least] = [each, distance];
  }
  if (nearest !== undefined) return nearest;
  if (name.length < BEGINNING_MIN) return undefined;
  return known.find((each) => each.startsWith(name) || lastPart(each).startsWith(name));
}

function lastPart(name: string): string {
  return name.slice(name.lastIndexOf('.') + 1);
}

/** How many letters differ; Infinity where they are too many for a slip. */
function slips(a: string, b: string): number {
  const allowed = Math.floor(Math.max(a.length, b.length) / LETTERS_PER_SLIP);
  if (Math.abs(a.length - b.length) > allowed) return Infinity;
  const distance = editDistance(a, b);
  return distance <= allowed ? distance : Infinity;
}

/** Letters to put in, to leave out, to change, or to exchange with the next one. */
function editDistance(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = a[i - 1] === b[j - 1] ? 0 : 1;
      const at = (up: number, left: number): number =>
        (up === 0 ? row : rows[i - up])?.[j - left] ?? 0;
      let least = Math.min(at(1, 0) + 1, at(0, 1) + 1, at(1, 1) + change);
      const isExchange = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (isExchange) least = Math.min(least, at(2, 2) + 1);
      row.push(least);
    }
    rows.push(row);
  }
  return rows[a.length]?.[b.length] ?? 0;
}
