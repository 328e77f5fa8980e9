import type { TestServer } from './http-server.ts';
import type { Random } from './random.ts';

/** Documents by handle, `<collection>/<key>`, without their system attributes. */
export type Documents = ReadonlyMap<string, Content>;

export interface Content {
  readonly n: number;
  /** Unique in collection `c`. */
  readonly u?: number;
}

/** What a request should be answered. */
interface Expected {
  readonly status: number;
  readonly errorNum?: number;
}

const COLLECTIONS = ['c', 'd'];
const UNIQUE_COLLECTION = 'c';
const KEYS = 10;
const UNIQUE_VALUES = 6;
const OPEN_MAX = 4;
const IMPORT_MAX = 5;

const DONE: Expected = { status: 202 };
const LOCKED: Expected = { status: 409, errorNum: 1200 };
const NOT_UNIQUE: Expected = { status: 409, errorNum: 1210 };
const NOT_FOUND: Expected = { status: 404, errorNum: 1202 };

/** One who writes: a transaction, or everybody else with each request by itself. */
class Actor {
  /** undefined for what is outside of transactions. */
  readonly id: string | undefined;
  /** null where a document was removed. */
  readonly overlay = new Map<string, Content | null>();
  /** Handles and unique values that nobody else can write. */
  readonly locks = new Set<string>();

  constructor(id?: string) {
    this.id = id;
  }
}

/**
 * Random requests to a server, inside of several transactions and outside of all, one after another, and what each
 * must be answered. Whoever is neither committed nor to be refused is a mistake of the server.
 */
export class TransactionModel {
  readonly #server: TestServer;
  readonly #random: Random;
  readonly #outside = new Actor();
  readonly #open: Actor[] = [];
  #committed = new Map<string, Content>();
  #lastNumber = 0;
  #description = 'nothing';
  /** What happened so far, by name. */
  readonly counts = new Map<string, number>();

  constructor(deps: { server: TestServer; random: Random }) {
    this.#server = deps.server;
    this.#random = deps.random;
  }

  /** What everybody sees now. */
  get committed(): Documents {
    return this.#committed;
  }

  async createCollections(): Promise<void> {
    for (const name of COLLECTIONS) await this.#send('POST', '/_api/collection', { name });
    const index = { type: 'hash', unique: true, fields: ['u'] };
    await this.#send('POST', `/_api/index?collection=${UNIQUE_COLLECTION}`, index);
  }

  /** One request, or the two of a read. @throws Error when it is not answered as it must be */
  async step(): Promise<void> {
    const chance = this.#random.below(100);
    if (chance < 10 && this.#open.length < OPEN_MAX) await this.#begin();
    else if (chance < 16) await this.#end('commit');
    else if (chance < 19) await this.#end('abort');
    else if (chance < 35) await this.#read();
    else await this.#write();
  }

  /** Commits or aborts what is open. */
  async finish(): Promise<void> {
    while (this.#open.length > 0) await this.#end(this.#random.percent(50) ? 'commit' : 'abort');
  }

  async #begin(): Promise<void> {
    const body = { collections: { write: COLLECTIONS } };
    const answer = await this.#send('POST', '/_api/transaction/begin', body);
    this.#expect(answer, { status: 201 });
    const { id } = answer.json['result'] as { id: string };
    this.#open.push(new Actor(id));
  }

  async #end(how: 'commit' | 'abort'): Promise<void> {
    const place = this.#random.below(this.#open.length);
    const [actor] = this.#open.splice(place, 1);
    if (!actor) return;
    const method = how === 'commit' ? 'PUT' : 'DELETE';
    const answer = await this.#send(method, `/_api/transaction/${actor.id ?? ''}`);
    this.#expect(answer, { status: 200 });
    this.#count(how);
    if (how === 'abort') return;
    this.#committed = this.#view(actor);
  }

  async #read(): Promise<void> {
    const actor = this.#actor();
    const view = this.#view(actor);
    const collection = this.#collection();
    const key = this.#key();
    const content = view.get(`${collection}/${key}`);
    const answer = await this.#send('GET', `/_api/document/${collection}/${key}`, undefined, actor);
    this.#expect(answer, content ? { status: 200 } : NOT_FOUND);
    if (content) {
      const { n, u } = answer.json;
      if (n !== content.n || u !== content.u) this.#fail(`is ${JSON.stringify(content)}`, answer);
    }
    const path = `/_api/collection/${collection}/count`;
    const counted = await this.#send('GET', path, undefined, actor);
    const count = [...view.keys()].filter((handle) => handle.startsWith(`${collection}/`)).length;
    if (counted.json['count'] !== count) this.#fail(`should count ${count}`, counted);
    this.#count('read');
  }

  async #write(): Promise<void> {
    const actor = this.#actor();
    const chance = this.#random.below(100);
    if (chance < 35) await this.#insert(actor);
    else if (chance < 70) await this.#replace(actor);
    else if (chance < 88) await this.#remove(actor);
    else if (chance < 97) await this.#import(actor);
    else await this.#truncate(actor);
  }

  async #insert(actor: Actor): Promise<void> {
    const [collection, _key, content] = [this.#collection(), this.#key(), this.#content()];
    const handle = `${collection}/${_key}`;
    const expected = this.#view(actor).has(handle)
      ? NOT_UNIQUE
      : this.#putOutcome(actor, handle, content);
    const body = { _key, ...content };
    const answer = await this.#send('POST', `/_api/document/${collection}`, body, actor);
    this.#expect(answer, expected);
    if (expected === DONE) this.#put(actor, handle, content);
    this.#count(`insert ${expected.status}`);
  }

  async #replace(actor: Actor): Promise<void> {
    const handle = `${this.#collection()}/${this.#key()}`;
    const content = this.#content();
    const isThere = this.#view(actor).has(handle);
    const expected = isThere ? this.#putOutcome(actor, handle, content) : NOT_FOUND;
    const answer = await this.#send('PUT', `/_api/document/${handle}`, content, actor);
    this.#expect(answer, expected);
    if (expected === DONE) this.#put(actor, handle, content);
    this.#count(`replace ${expected.status}`);
  }

  async #remove(actor: Actor): Promise<void> {
    const handle = `${this.#collection()}/${this.#key()}`;
    const isThere = this.#view(actor).has(handle);
    const expected = !isThere ? NOT_FOUND : this.#isLocked(actor, handle) ? LOCKED : DONE;
    const answer = await this.#send('DELETE', `/_api/document/${handle}`, undefined, actor);
    this.#expect(answer, expected);
    if (expected === DONE) this.#put(actor, handle, null);
    this.#count(`remove ${expected.status}`);
  }

  async #truncate(actor: Actor): Promise<void> {
    const collection = this.#collection();
    const handles = [...this.#view(actor).keys()].filter((each) =>
      each.startsWith(`${collection}/`),
    );
    const isLocked = handles.some((handle) => this.#isLocked(actor, handle));
    const expected = isLocked ? LOCKED : { status: 200 };
    const path = `/_api/collection/${collection}/truncate`;
    this.#expect(await this.#send('PUT', path, undefined, actor), expected);
    if (!isLocked) for (const handle of handles) this.#put(actor, handle, null);
    this.#count(`truncate ${expected.status}`);
  }

  /** Without unique values, all or nothing. */
  async #import(actor: Actor): Promise<void> {
    const collection = this.#collection();
    const contents = new Map<string, Content>();
    for (let i = this.#random.below(IMPORT_MAX); i >= 0; i--) {
      contents.set(this.#key(), { n: ++this.#lastNumber });
    }
    const handles = [...contents.keys()].map((key) => `${collection}/${key}`);
    const isLocked = handles.some((handle) => this.#isLocked(actor, handle));
    const expected = isLocked ? LOCKED : { status: 201 };
    const path = `/_api/import?collection=${collection}&type=array&complete=true&onDuplicate=replace`;
    const body = [...contents].map(([_key, content]) => ({ _key, ...content }));
    this.#expect(await this.#send('POST', path, body, actor), expected);
    if (!isLocked) {
      for (const [key, content] of contents) this.#put(actor, `${collection}/${key}`, content);
    }
    this.#count(`import ${expected.status}`);
  }

  #view(actor: Actor): Map<string, Content> {
    const view = new Map(this.#committed);
    for (const [handle, content] of actor.overlay) {
      if (content) view.set(handle, content);
      else view.delete(handle);
    }
    return view;
  }

  #putOutcome(actor: Actor, handle: string, { u }: Content): Expected {
    if (this.#isLocked(actor, handle)) return LOCKED;
    if (u === undefined || !handle.startsWith(`${UNIQUE_COLLECTION}/`)) return DONE;
    if (this.#isLocked(actor, valueLock(u))) return LOCKED;
    for (const [other, content] of this.#view(actor)) {
      const isRival = other !== handle && other.startsWith(`${UNIQUE_COLLECTION}/`);
      if (isRival && content.u === u) return NOT_UNIQUE;
    }
    return DONE;
  }

  #isLocked(actor: Actor, lock: string): boolean {
    return this.#open.some((other) => other !== actor && other.locks.has(lock));
  }

  #put(actor: Actor, handle: string, content: Content | null): void {
    if (actor === this.#outside) {
      this.#committed = new Map(this.#committed);
      if (content) this.#committed.set(handle, content);
      else this.#committed.delete(handle);
      return;
    }
    actor.overlay.set(handle, content);
    actor.locks.add(handle);
    const u = handle.startsWith(`${UNIQUE_COLLECTION}/`) ? content?.u : undefined;
    if (u !== undefined) actor.locks.add(valueLock(u));
  }

  #actor(): Actor {
    const inside = this.#random.percent(60) ? this.#random.pick(this.#open) : undefined;
    return inside ?? this.#outside;
  }

  #collection(): string {
    return COLLECTIONS[this.#random.below(COLLECTIONS.length)] ?? UNIQUE_COLLECTION;
  }

  #key(): string {
    return `k${this.#random.below(KEYS)}`;
  }

  #content(): Content {
    const n = ++this.#lastNumber;
    return this.#random.percent(50) ? { n, u: this.#random.below(UNIQUE_VALUES) } : { n };
  }

  #send(
    method: string,
    path: string,
    body?: unknown,
    actor: Actor = this.#outside,
  ): ReturnType<TestServer['request']> {
    const inside = actor.id === undefined ? '' : ` in ${actor.id}`;
    this.#description = `${method} ${path} ${body === undefined ? '' : JSON.stringify(body)}${inside}`;
    return this.#server.request(method, path, {
      ...(body === undefined ? {} : { body }),
      ...(actor.id === undefined ? {} : { headers: { 'x-arango-trx-id': actor.id } }),
    });
  }

  #expect(answer: Awaited<ReturnType<TestServer['request']>>, expected: Expected): void {
    const { errorNum } = answer.status < 400 ? {} : answer.json;
    if (answer.status === expected.status && errorNum === expected.errorNum) return;
    this.#fail(`should be answered ${JSON.stringify(expected)}`, answer);
  }

  #fail(what: string, { status, text }: { status: number; text: string }): never {
    throw new Error(`${this.#description} ${what}, and was answered ${status}: ${text}`);
  }

  #count(name: string): void {
    this.counts.set(name, (this.counts.get(name) ?? 0) + 1);
  }
}

function valueLock(u: number): string {
  return `value ${u}`;
}
