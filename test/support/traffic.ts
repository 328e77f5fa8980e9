import type { Method } from '../../bench/support/http-client.ts';
import type { ChainAnswer, ChainServer } from './chain-server.ts';
import type { Random } from './random.ts';
import type { Notes, World, WorldCollection } from './world.ts';

/** A transaction that a client has open on the leader. */
export interface OpenTransaction {
  readonly id: string;
  readonly collections: readonly WorldCollection[];
  /** Done to the world when it is committed. */
  readonly notes: (() => void)[];
}

/** Where an operation on documents goes, and where what comes of it is noted. */
export interface Scope {
  readonly collection: WorldCollection;
  readonly notes: Notes;
  readonly headers: Readonly<Record<string, string>>;
}

export type DocumentOperation = (traffic: Traffic, scope: Scope) => Promise<void>;
export type TrafficOperation = (traffic: Traffic) => Promise<void>;

/** There was no answer, or none but that the server is going down. */
export class LostAnswer extends Error {
  override readonly name = 'LostAnswer';
}

/** What a client of 3.x says of itself. */
export const OF_3 = { 'x-arango-version': '30003' } as const;

/** Few names, so that they go from one collection to the next. */
export const NAMES: readonly string[] = ['a', 'b', 'c', 'd', 'e'];
export const SYSTEM_NAMES: readonly string[] = ['_s', '_t'];
const KEYS = 50;
const ODD_KEYS: readonly string[] = [
  ...['a:b', '_u', '-', '@x', '(,)', '=;$!', "*'", '%', '%25', '+', '.', '0', '00', '007', '12'],
  ...['9007199254740993', 'x'.repeat(254)],
];
const MIB = 1024 * 1024;
const SHUTTING_DOWN = 503;
/** What random operations run into; anything else is an error of the server, or of the test. */
const REFUSALS: ReadonlySet<number> = new Set([
  ...[10, 11, 18, 400, 600, 1105, 1200, 1202, 1203, 1205, 1206, 1207, 1208, 1210, 1212, 1213, 1215],
  ...[1216, 1218, 1221, 1222, 1225, 1226, 1227, 1232, 1233, 1406, 1652, 1653, 1655],
]);

/**
 * Random operations of all kinds on a leader, over HTTP, one after another; what it must hold because of
 * its answers is in the world.
 */
export class Traffic {
  readonly server: ChainServer;
  readonly random: Random;
  readonly world: World;
  transactions: OpenTransaction[] = [];
  /** How often each operation was answered how: `insert 202`, `insert 1210`. */
  readonly counts = new Map<string, number>();
  #doing = '';

  constructor(deps: { server: ChainServer; random: Random; world: World }) {
    this.server = deps.server;
    this.random = deps.random;
    this.world = deps.world;
  }

  /** Runs an operation. @throws LostAnswer */
  async run(name: string, operation: TrafficOperation): Promise<void> {
    this.#doing = name;
    this.world.touched.clear();
    await operation(this);
  }

  /**
   * Sends a request to the leader.
   * @returns the answer; undefined for a refusal that random operations run into
   * @throws LostAnswer; Error for any other refusal
   */
  async send(
    method: Method,
    path: string,
    body?: unknown,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<ChainAnswer | undefined> {
    const doing = this.#doing;
    let answer: ChainAnswer;
    try {
      answer = await this.server.send(method, path, body, headers);
    } catch (error) {
      const { code = '' } = error as NodeJS.ErrnoException;
      if (/^(?:ECONN|EPIPE|UND_ERR)/.test(code)) throw new LostAnswer(code, { cause: error });
      throw error;
    }
    const { status, errorNum, text } = answer;
    if (status === SHUTTING_DOWN) throw new LostAnswer(text);
    if (status < 300) {
      this.#count(`${doing} ok`);
      return answer;
    }
    if (!REFUSALS.has(errorNum)) {
      const sent = typeof body === 'string' ? body : JSON.stringify(body ?? null);
      throw new Error(
        `${doing}: ${method} ${path} was answered ${status} ${text}\n${sent.slice(0, 1000)}`,
      );
    }
    this.#count(`${doing} ${errorNum}`);
    return undefined;
  }

  /** A collection that is there, or was a moment ago; undefined when there is none. */
  pick(): WorldCollection | undefined {
    const picked = this.random.pick(this.world.collections);
    if (picked) this.world.touched.add(picked.cid);
    return picked;
  }

  /** As a path has it: by name, or by id. */
  ref({ name, cid }: WorldCollection): string {
    return this.random.percent(15) ? cid : name;
  }

  name(): string {
    return this.random.pick(this.random.percent(8) ? SYSTEM_NAMES : NAMES)!;
  }

  key(): string {
    if (this.random.percent(4)) return this.random.pick(ODD_KEYS)!;
    return `k${this.random.below(KEYS)}`;
  }

  /** The key of a document that is probably there. */
  knownKey(collection: WorldCollection): string {
    return (
      (this.random.percent(70) ? this.random.pick(collection.keys()) : undefined) ?? this.key()
    );
  }

  /** A vertex, in a collection that there is. */
  vertex(): string {
    const { name } = this.random.pick(this.world.collections) ?? { name: 'a' };
    return `${name}/${this.random.percent(90) ? `k${this.random.below(KEYS)}` : '%25'}`;
  }

  /** The inside of a document: what indexes go by, and what tries the texts of JSON. */
  rest(): string {
    const { random } = this;
    const members = [`"n":${random.below(10)}`];
    if (random.percent(30)) members.push(`"u":${random.below(80)}`);
    if (random.percent(15))
      members.push(`"w":${random.pick(['null', '"v"', '[1,2]', '{"x":1}'])!}`);
    if (random.percent(20)) members.push(`"o":{"p":${random.below(5)},"q":null}`);
    if (random.percent(20)) members.push(`"loc":[${random.below(90)},${random.below(180)}]`);
    if (random.percent(20)) members.push(`"b":"${random.pick(['x', 'y', 'z'])!}"`);
    if (random.percent(20)) members.push(`"t":"words of ${random.below(9)} text"`);
    if (random.percent(10)) members.push(`"num":${random.pick(NUMBERS)!}`);
    if (random.percent(10)) members.push(random.pick(ODD_MEMBERS)!);
    const pad = random.percent(0.7) ? MIB : random.percent(3) ? 40_000 : random.below(100);
    members.push(`"pad":"${'x'.repeat(pad)}"`);
    return members.join(',');
  }

  #count(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1);
  }
}

const NUMBERS = ['1.0', '1e2', '-0', '123456789012345678901234567890', '0.1e-7', '5E+3'];
const ODD_MEMBERS = [
  '"":1',
  '"a.b":{"c":[]}',
  '"__proto__":{"x":1}',
  '"\\u00e9\\n\\"":"\\ud83d\\ude00"',
  '"é":"😀\\u2028\\u0000"',
  '"constructor":null',
  '"deep":[[[[[[{"a":[{}]}]]]]]]',
];

/** `?a=1&b=2`, without what is undefined. */
export function queryOf(
  parameters: Readonly<Record<string, string | number | boolean | undefined>>,
): string {
  const given = Object.entries(parameters).flatMap(([name, value]): [string, string][] =>
    value === undefined ? [] : [[name, String(value)]],
  );
  return given.length === 0 ? '' : `?${new URLSearchParams(given).toString()}`;
}

/** Notes of operations that run beside each other: which of them comes last is not known. */
export function doubtful(notes: Notes): Notes {
  return {
    written: (key) => notes.doubt([key]),
    removed: (key) => notes.doubt([key]),
    doubt: (keys) => notes.doubt(keys),
    open: () => notes.open(),
    forget: () => notes.forget(),
    truncated: () => notes.forget(),
  };
}
