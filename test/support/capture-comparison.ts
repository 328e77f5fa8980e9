import type { Exchange } from './captures.ts';

/** What our server answered. */
export interface OwnAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
}

/** Members whose values are ids, revisions or generated keys: they differ from server to server. */
const ID_MEMBERS = new Set([
  ...['id', 'cid', 'tid', 'tick', 'rev', 'oldRev', 'key', 'database', 'lastTick', 'firstTick'],
  ...['_id', '_key', '_rev', '_oldRev', 'lastLogTick', 'lastUncommittedLogTick', 'lastServedTick'],
  ...['serverId', 'low', 'high', 'hash', 'tickMin', 'tickMax', 'location', 'etag'],
]);
/** Objects whose members are named for what there is. */
const NAMED_FOR_CONTENT = new Set(['names', 'identifiers']);
/** For people, or for the moment. */
const NOT_COMPARED = new Set([
  'errorMessage',
  'time',
  'datafile',
  'path',
  'message',
  'totalEvents',
]);
/** Headers that say nothing of the interface. */
const HEADERS_NOT_COMPARED = new Set(['date', 'content-length', 'connection', 'keep-alive']);

const ASYNC_ID = 'x-arango-async-id';

type Json = Readonly<Record<string, unknown>>;

/** What is compared besides names. */
export interface ComparisonOptions {
  /** Values must be equal, ids translated; only types otherwise. */
  readonly values: boolean;
  /** Lines must be of the same kinds in the same order; otherwise ours may have more. */
  readonly sameLines: boolean;
  /** Members that ours may lack, by their path, such as `indexes[].selectivityEstimate`. */
  readonly mayLack: (path: string) => boolean;
}

/** Members that name documents by their keys; the others of `ID_MEMBERS` are numbers of the server's one counter. */
const KEY_MEMBERS = new Set(['key', '_key', '_id', 'location', 'low', 'high']);

/** Ids of the real server and what stands for them here. */
export class IdTranslation {
  readonly #ids = new Map<string, string>();
  readonly #keys = new Map<string, string>();
  readonly #ticks = new Map<bigint, bigint>();

  /** Notes a value of a member that names ids, theirs and ours. The first one that is noted counts. */
  learn(member: string, theirs: string, ours: string): void {
    const [before, after] = [theirs.split('/'), ours.split('/')];
    if (before.length !== after.length) return;
    before.forEach((part, i) => {
      const own = after[i] ?? part;
      const known = this.#mapOf(member);
      if (isId(part) && isId(own) && !known.has(part)) known.set(part, own);
    });
  }

  /** Notes a pair of ticks, instead of what was noted before only where that is said. */
  learnTick(theirs: string, ours: string, isNew = false): void {
    if (!isTick(theirs) || !isTick(ours)) return;
    if (isNew || !this.#ticks.has(BigInt(theirs))) this.#ticks.set(BigInt(theirs), BigInt(ours));
  }

  /** Ours where it is known, otherwise the id itself. */
  id(theirs: string): string {
    return this.#ids.get(theirs) ?? theirs;
  }

  /**
   * Our position for one of theirs: that of the last tick before it that is known, the one before a known tick,
   * or as far beyond the last one.
   */
  tick(theirs: string): string {
    if (!isTick(theirs) || this.#ticks.size === 0) return theirs;
    const wanted = BigInt(theirs);
    const next = this.#ticks.get(wanted + 1n);
    const known = [...this.#ticks.keys()].sort((a, b) => (a < b ? -1 : 1));
    const before = known.findLast((tick) => tick <= wanted);
    const last = known.at(-1) ?? 0n;
    if (before === undefined) return '1';
    const ours = this.#ticks.get(before) ?? 0n;
    if (before !== wanted && next !== undefined) return (next - 1n).toString();
    return (before === last ? ours + wanted - last : ours).toString();
  }

  /** A value of a member that names ids, in ours. */
  value(member: string, theirs: string): string {
    const known = this.#mapOf(member);
    return theirs
      .split('/')
      .map((part) => known.get(part) ?? part)
      .join('/');
  }

  #mapOf(member: string): Map<string, string> {
    return KEY_MEMBERS.has(member) ? this.#keys : this.#ids;
  }
}

function isId(text: string): boolean {
  return /^"?[0-9]+"?$/.test(text);
}

function isTick(text: string): boolean {
  return /^[1-9][0-9]{0,18}$/.test(text);
}

/**
 * Compares what our server answered with what the real one did: status, error number, names of
 * headers, members of bodies and their types. What ours has besides is fine.
 *
 * @returns what is wrong, nothing when they agree
 */
export function differences(
  theirs: Exchange,
  ours: OwnAnswer,
  ids: IdTranslation,
  options: ComparisonOptions,
): string[] {
  if (theirs.status !== ours.status) {
    return [`status ${ours.status} instead of ${theirs.status}: ${ours.text.slice(0, 200)}`];
  }
  const found = [...theirs.headers.keys()]
    .filter((name) => !HEADERS_NOT_COMPARED.has(name) && ours.headers[name] === undefined)
    .map((name) => `header ${name} is missing`);
  for (const name of ['content-type', 'server', 'allow']) {
    const value = theirs.headers.get(name);
    if (value !== undefined && ours.headers[name] !== value) {
      found.push(`header ${name} is ${String(ours.headers[name])} instead of ${value}`);
    }
  }
  ids.learn('id', theirs.headers.get(ASYNC_ID) ?? '', String(ours.headers[ASYNC_ID] ?? ''));
  const comparison = new BodyComparison(ids, options);
  comparison.bodies(theirs, ours.text);
  return [...found, ...comparison.found];
}

/** Error number of a body that is one. */
export function errorNumOf(text: string): number | undefined {
  const value = asJson(text);
  return isObject(value) && typeof value['errorNum'] === 'number' ? value['errorNum'] : undefined;
}

class BodyComparison {
  readonly found: string[] = [];
  readonly #ids: IdTranslation;
  readonly #options: ComparisonOptions;

  constructor(ids: IdTranslation, options: ComparisonOptions) {
    this.#ids = ids;
    this.#options = options;
  }

  bodies(theirs: Exchange, ours: string): void {
    const type = theirs.headers.get('content-type') ?? '';
    if (theirs.body.trim() === '' || theirs.method === 'HEAD') {
      if (ours !== '') this.found.push(`the body is ${ours.slice(0, 80)} instead of none`);
    } else if (type.startsWith('application/x-arango-dump') && theirs.body.startsWith('{')) {
      this.#lines(linesOf(theirs.body), linesOf(ours));
    } else {
      this.#value(asJson(theirs.body), asJson(ours), '', '');
    }
  }

  /** Each kind of line of theirs must be there, with the same members; those that tell of the same are paired. */
  #lines(theirs: readonly Json[], ours: readonly Json[]): void {
    const kinds = (lines: readonly Json[]): string => lines.map(({ type }) => textOf(type)).join();
    if (this.#options.sameLines && kinds(ours) !== kinds(theirs)) {
      if (!this.#options.mayLack('lines')) {
        this.found.push(`lines are ${kinds(ours)} instead of ${kinds(theirs)}`);
      }
    }
    const rest = [...ours];
    for (const line of theirs) {
      const same = takeSame(line, rest);
      const like = same ?? ours.find(({ type }) => type === line['type']);
      const path = `line ${String(line['type'])}`;
      if (like) {
        if (same) this.#ids.learnTick(textOf(line['tick']), textOf(same['tick']));
        // Of another one of its kind only what all of them have can be asked for.
        this.#value(same ? line : withoutContent(line), like, path, '');
      } else if (!this.#options.mayLack(path)) {
        this.found.push(`${path} is missing`);
      }
    }
  }

  #value(theirs: unknown, ours: unknown, path: string, member: string): void {
    if (NOT_COMPARED.has(member)) return;
    if (ours === undefined) {
      if (!this.#options.mayLack(path)) this.found.push(`${path} is missing`);
    } else if (Array.isArray(theirs)) {
      this.#array(theirs, ours, path, member);
    } else if (isObject(theirs)) {
      this.#object(theirs, ours, path, member);
    } else {
      this.#leaf(theirs, ours, path, member);
    }
  }

  #array(theirs: readonly unknown[], given: unknown, path: string, member: string): void {
    if (!Array.isArray(given)) {
      this.found.push(`${path} is no array`);
      return;
    }
    const ours: readonly unknown[] = given;
    if (theirs.length > 0 && ours.length === 0) this.found.push(`${path} is empty`);
    if (this.#options.values && theirs.length !== ours.length) {
      this.found.push(`${path} has ${ours.length} elements instead of ${theirs.length}`);
    }
    const common = Math.min(theirs.length, ours.length);
    for (let i = 0; i < common; i++) {
      const each = theirs[i];
      const like = isObject(each) ? namesake(each, ours) : ours[i];
      if (like !== undefined) this.#value(each, like, `${path}[]`, member);
      else if (this.#options.values) this.found.push(`${path} lacks ${JSON.stringify(each)}`);
    }
  }

  #object(theirs: Json, ours: unknown, path: string, member: string): void {
    if (!isObject(ours)) {
      this.found.push(`${path} is no object`);
      return;
    }
    const byContent = NAMED_FOR_CONTENT.has(member);
    for (const [name, value] of Object.entries(theirs)) {
      const own = byContent && isObject(value) ? namesake(value, Object.values(ours)) : ours[name];
      this.#value(value, own, byContent ? `${path}.*` : `${path}.${name}`, byContent ? '' : name);
    }
  }

  #leaf(theirs: unknown, ours: unknown, path: string, member: string): void {
    if (typeof theirs !== typeof ours || (theirs === null) !== (ours === null)) {
      const isNull = theirs === null ? 'null' : typeof theirs;
      if (!this.#options.mayLack(path)) {
        this.found.push(`${path} is ${JSON.stringify(ours)} instead of a ${isNull}`);
      }
      return;
    }
    const isError = ['.errorNum', '.code', '.error', '.state.lastError.errorNum'].includes(path);
    if (ID_MEMBERS.has(member) && typeof theirs === 'string' && typeof ours === 'string') {
      this.#ids.learn(member, theirs, ours);
      if (!this.#options.values) return;
      const wanted = this.#ids.value(member, theirs);
      if (wanted !== ours && !this.#options.mayLack(path))
        this.found.push(`${path} is ${ours} instead of ${wanted}`);
    } else if ((this.#options.values || isError) && theirs !== ours) {
      if (this.#options.mayLack(path)) return;
      this.found.push(`${path} is ${JSON.stringify(ours)} instead of ${JSON.stringify(theirs)}`);
    }
  }
}

function withoutContent(line: Json): Json {
  const members = Object.entries(line).filter(([name]) => name !== 'tid' && name !== 'oldRev');
  return Object.fromEntries(members.map(([name, value]) => [name, isObject(value) ? {} : value]));
}

/** The element that stands for the same thing, by what it is called. */
function namesake(theirs: Json, ours: readonly unknown[]): unknown {
  const nameOf = (value: Json): string => {
    const { parameters, name, _key: key } = value;
    const called = isObject(parameters) ? parameters['name'] : (name ?? key);
    if (typeof called === 'string') return isId(called) ? 'id' : called;
    return indexName(value);
  };
  const wanted = nameOf(theirs);
  return ours.find((each) => isObject(each) && nameOf(each) === wanted);
}

/** An index by its type and attributes, in whatever order. */
function indexName({ type, fields }: Json): string {
  const names = Array.isArray(fields) ? fields.map((each) => JSON.stringify(each)).sort() : [];
  return `${textOf(type)} ${names.join(' ')}`;
}

/** Takes out the first line that tells of the same as theirs, one that lacks nothing if there is one. */
function takeSame(theirs: Json, rest: Json[]): Json | undefined {
  const wanted = eventName(theirs);
  const candidates = rest.filter((line) => eventName(line) === wanted);
  const names = Object.keys(contentOf(theirs));
  const whole = candidates.find((line) => names.every((name) => name in contentOf(line)));
  // Generated keys say nothing of which document it is.
  const found = whole ?? (wanted.endsWith(' id') ? undefined : candidates[0]);
  if (found) rest.splice(rest.indexOf(found), 1);
  return found;
}

/** What a line tells of: kind, and key or index as far as they do not depend on the server. */
function eventName(line: Json): string {
  const { type, key, index } = line;
  const content = contentOf(line);
  if (type === 2100) return `2100 ${indexName(isObject(index) ? index : content)}`;
  const named = textOf(content['_key'] ?? key ?? content['name'] ?? '');
  return `${textOf(type)} ${isId(named) ? 'id' : named}`;
}

function contentOf(line: Json): Json {
  const { data, collection } = line;
  return isObject(data) ? data : isObject(collection) ? collection : {};
}

function textOf(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
}

function linesOf(text: string): Json[] {
  return text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => JSON.parse(line) as Json);
}

function asJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    // What is no JSON is compared as text.
    return text;
  }
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
