import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { checkAnswer } from './api-check.ts';
import { findOperation } from './api-document.ts';
import type { ChildServer } from './child-server.ts';
import { type FuzzRequest, FuzzRequests } from './fuzz-requests.ts';
import { FuzzState, stateDifference } from './fuzz-state.ts';
import { type Wire, drawWire, onWire } from './fuzz-wire.ts';
import { Random } from './random.ts';
import { type RawAnswer, RawClient } from './raw-client.ts';
import type { ProcessFigures } from './server-child.ts';

export interface FuzzOptions {
  readonly seed: number;
  readonly cases: number;
}

export interface FuzzResult {
  /** What was wrong, each kind once: with the number of the case and the request. */
  readonly faults: readonly string[];
  /** Answers by status, and how often a connection was closed without one. */
  readonly statuses: ReadonlyMap<number | 'none', number>;
  /** Operations of the document that were carried out at least once. */
  readonly carriedOut: ReadonlySet<string>;
  /** After the first cases, and after the last. */
  readonly warm: ProcessFigures;
  readonly last: ProcessFigures;
}

/** So often everything is put back. */
const TIDY_EVERY = 50;
/** Caches and pools are filled then. */
const WARM_SHARE = 0.3;
const ANSWER_MS = 20_000;
const FAULTS_MAX = 12;
const BODY_SHOWN = 300;
const RECENT = 3;
/** In the log: what a server should not have to say. */
const OWN_FAULT =
  /"errorNum":3|internal error|(?:\} |by )(?:InvariantError|TypeError|RangeError|ReferenceError)/;
/** What may leave something behind when it is refused, and says so in its documentation. */
const LEAVING: readonly RegExp[] = [
  // What was set is forgotten first (contract 3.8).
  /\/make-(?:follower|slave)/,
  // The collection is made before the body is read; so are collections beside it that could be restored.
  /\/_api\/import\/?\?.*createCollection/,
];
/** What has no effect for this long has ended. */
const UNSEEN_MS = 250;

/**
 * Sends requests that nobody should send, and looks that each is answered as documented (or its connection closed,
 * where it was not even HTTP), that none fails the server, and that one that is refused changes nothing.
 */
export async function runFuzz(server: ChildServer, options: FuzzOptions): Promise<FuzzResult> {
  await using sink = await openSink();
  await using state = new FuzzState({ url: server.url });
  using client = new RawClient({ port: server.port, timeoutMs: ANSWER_MS });
  const run = new FuzzRun({ server, state, client }, { ...options, endpoint: sink.endpoint });
  return await run.run();
}

class FuzzRun {
  readonly #server: ChildServer;
  readonly #state: FuzzState;
  readonly #client: RawClient;
  readonly #cases: number;
  readonly #random: Random;
  readonly #requests: FuzzRequests;
  readonly #faults = new Map<string, string>();
  readonly #statuses = new Map<number | 'none', number>();
  readonly #carriedOut = new Set<string>();
  /** The requests before the present one, and their answers. */
  readonly #recent: string[] = [];
  /** As it was read last; undefined when something may have changed since. */
  #before: Record<string, unknown> | undefined;

  constructor(
    deps: { server: ChildServer; state: FuzzState; client: RawClient },
    options: FuzzOptions & { endpoint: string },
  ) {
    this.#server = deps.server;
    this.#state = deps.state;
    this.#client = deps.client;
    this.#cases = options.cases;
    this.#random = new Random(options.seed);
    this.#requests = new FuzzRequests({ random: this.#random.fork() }, options);
  }

  async run(): Promise<FuzzResult> {
    let warm: ProcessFigures | undefined;
    for (let i = 0; i < this.#cases; i++) {
      if (i % TIDY_EVERY === 0) await this.#tidy();
      if (!warm && i >= this.#cases * WARM_SHARE) warm = await this.#server.figures();
      await this.#one(i);
      if (this.#server.ended !== '') {
        this.#faults.set('ended', `${this.#server.ended} at case ${i}`);
        break;
      }
      if (this.#faults.size >= FAULTS_MAX) break;
    }
    if (this.#server.ended === '') await this.#tidy();
    const last = await this.#server.figures();
    const faults = [...this.#faults.values()];
    return {
      faults,
      statuses: this.#statuses,
      carriedOut: this.#carriedOut,
      warm: warm ?? last,
      last,
    };
  }

  async #tidy(): Promise<void> {
    await this.#state.settled();
    this.#requests.know(await this.#state.tidy());
    this.#before = undefined;
  }

  async #one(i: number): Promise<void> {
    const random = this.#random;
    const request = this.#requests.next();
    const wire = drawWire(random);
    const errorsBefore = this.#server.errors;
    const shown = `case ${i}, ${wire}: ${describe(request)}`;
    const looks = request.method !== 'GET' || random.below(20) === 0;
    if (looks) this.#before ??= await this.#state.read();
    let answer: RawAnswer | undefined;
    try {
      const raw = onWire(request, wire, random);
      answer = await this.#client.send(raw);
      const status = answer?.status ?? 'none';
      this.#statuses.set(status, (this.#statuses.get(status) ?? 0) + 1);
      this.#check(request, wire, answer, raw.isProper);
    } catch (error) {
      this.#fault(request, answer, `${shown}\n${(error as Error).message}`);
    }
    if (this.#server.errors > errorsBefore) await this.#noteLog(request, answer, shown);
    await this.#compare(request, wire, answer, looks, shown);
    this.#recent.push(`${shown} was answered ${answer?.status ?? 'not at all'}`);
    if (this.#recent.length > RECENT) this.#recent.shift();
  }

  #check(
    { method, target, headers }: FuzzRequest,
    wire: Wire,
    answer: RawAnswer | undefined,
    isProper: boolean,
  ): void {
    if (!answer) {
      if (isProper && method !== 'CONNECT')
        throw new Error('the connection was closed without an answer');
      return;
    }
    // Of these it is not known which method and which path the server has read.
    const isOther = wire === 'no http' || wire === 'cut off' || !/^[!-~]*$/.test(target);
    if (isOther && answer.status < 500) return;
    const isAsync = headers.some(([name]) => name === 'x-arango-async');
    // Whatever the path, a request that nobody waits for may be too large, or one too many.
    if (isAsync && answer.status === 413) {
      checkAnswer('PUT', '/', answer);
      return;
    }
    if (isAsync && answer.text.includes('"errorNum":32')) return;
    const operation = answer.status < 300 ? findOperation(method, target) : undefined;
    if (operation) this.#carriedOut.add(operation.name);
    checkAnswer(method, target.replace(/#.*$/s, ''), answer);
    if (answer.status < 500 || method === 'HEAD') return;
    const { errorNum, errorMessage } = JSON.parse(answer.text) as Record<string, unknown>;
    const isFailure =
      errorNum === 3 || (errorNum === 4 && !String(errorMessage).startsWith('invalid endpoint'));
    if (isFailure) throw new Error(`answered ${answer.status} ${answer.text}`);
  }

  /** What the server calls a failure of its own is one, whatever it answered. */
  async #noteLog(
    request: FuzzRequest,
    answer: RawAnswer | undefined,
    shown: string,
  ): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, 0));
    const line = this.#server.log.at(-1) ?? '';
    if (!OWN_FAULT.test(line)) return;
    this.#fault(request, answer, `${shown}\n${line}`);
  }

  async #compare(
    request: FuzzRequest,
    wire: Wire,
    answer: RawAnswer | undefined,
    looks: boolean,
    shown: string,
  ): Promise<void> {
    // What got no answer may still be done, as what nobody waits for.
    const mayRun = answer ? answer.status === 202 && answer.text === '' : request.method !== 'GET';
    if (mayRun) await this.#ended(answer?.headers['x-arango-async-id']);
    const mayLeave = LEAVING.some((each) => each.test(request.target));
    const isRefused = answer !== undefined && answer.status >= 400 && !mayLeave;
    // Behind a body that was too long for its request there may be another request.
    const before = this.#before;
    if (looks) this.#before = undefined;
    if (!isRefused || !looks || !before || wire === 'length too small') {
      if (request.method !== 'GET') this.#before = undefined;
      return;
    }
    this.#before = await this.#state.read();
    const difference = stateDifference(before, this.#before);
    if (difference === '') return;
    this.#fault(
      request,
      answer,
      `${shown}\nanswered ${answer.status} ${answer.text}\n${difference}`,
    );
  }

  /** Waits for a request that nobody waits for; of one without an id nothing but its effects can be seen. */
  async #ended(id: string | undefined): Promise<void> {
    await this.#state.settled();
    if (id !== undefined) return;
    for (let before: Record<string, unknown> | undefined; ;) {
      const now = await this.#state.read();
      if (before && stateDifference(before, now) === '') return;
      before = now;
      await new Promise((resolve) => setTimeout(resolve, UNSEEN_MS));
    }
  }

  #fault({ method, target }: FuzzRequest, answer: RawAnswer | undefined, text: string): void {
    const path = target.replace(/\?.*$/s, '').replace(/^\/_db\/[^/]*/, '');
    const kind = `${method} ${path.split('/').slice(0, 4).join('/')} ${answer?.status ?? ''}`;
    if (!this.#faults.has(kind))
      this.#faults.set(kind, `${text}\nbefore it ${this.#recent.join('\n')}`);
  }
}

function describe({ method, target, headers, body }: FuzzRequest): string {
  const fields = headers.map(([name, value]) => `${name}: ${value.slice(0, 60)}`).slice(0, 10);
  const shown = JSON.stringify(body.toString('latin1', 0, BODY_SHOWN));
  return `${method} ${target.slice(0, BODY_SHOWN)} {${fields.join(', ')}} ${shown} (${body.length} bytes)`;
}

/** A leader that hangs up on everybody. */
async function openSink(): Promise<AsyncDisposable & { endpoint: string }> {
  const server = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    endpoint: `tcp://127.0.0.1:${port}`,
    [Symbol.asyncDispose]: () => new Promise((resolve) => server.close(() => resolve())),
  };
}
