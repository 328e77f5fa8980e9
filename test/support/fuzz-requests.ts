import { type ApiContent, apiDocument, resolved } from './api-document.ts';
import { CAPTURED_VERSIONS, CAPTURES_FOUND, type Exchange, readCaptures } from './captures.ts';
import { hostileBody, hostileWord, mutatedBytes, mutatedJson } from './fuzz-values.ts';
import type { Random } from './random.ts';

/** A request that is to be sent, proper or not. */
export interface FuzzRequest {
  readonly method: string;
  /** Path and query. */
  readonly target: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: Buffer;
}

interface Parameter {
  readonly name: string;
  readonly in: string;
  readonly required?: boolean;
  readonly schema: unknown;
}

interface Operation {
  readonly method: string;
  readonly path: string;
  readonly parameters: readonly Parameter[];
  /** Of its body; undefined where it takes none. */
  readonly example: unknown;
}

/** What there is, by the names of parameters. */
export type KnownIds = Readonly<Record<string, readonly string[]>>;

const METHODS = ['get', 'put', 'post', 'delete', 'patch'] as const;
const OTHER_METHODS = ['HEAD', 'OPTIONS', 'GET', 'PUT', 'POST', 'DELETE', 'PATCH', 'TRACE', 'FOO'];
/** Operations on documents count so many times: they have two ways to be answered. */
const DOCUMENT_WEIGHT = 6;
const ENDPOINT = /(?:tcp|ssl|https?):\/\/[^"\\\s]*/g;
const BROKEN_ENDPOINTS = ['tcp://', 'tcp://[::1', 'ftp://x', 'tcp://127.0.0.1:99999', 'tcp:/x'];
/** What may be waited for is not waited for. */
const LONG_WAIT = /([?&]wait=)[^&]*/g;

/** Names that mean something to the servers that are asked. */
const KNOWN: Readonly<Record<string, readonly string[]>> = {
  collection: ['c', 'e', 'u', 'none'],
  key: ['k1', 'k2', 'k3', 'none'],
  database: ['fuzz', '_system', 'none'],
  name: ['c', 'fuzz', 'new1', 'new2'],
  from: ['0', '1', 'c/k1', 'c/none'],
  fromPrefix: ['c'],
  chunk: ['0', '1'],
  low: ['a', 'k1'],
  batchId: ['1'],
  to: ['18446744073709551615', 'c/k2'],
  type: ['keys', 'docs', 'documents', 'list', 'auto', 'array', '2', '3'],
  vertex: ['c/k1', 'none'],
  direction: ['in', 'out', 'any'],
  policy: ['last', 'error', 'x'],
  waitForSync: ['true', 'false'],
  overwriteMode: ['replace', 'update', 'ignore', 'conflict', 'x'],
  chunkSize: ['0', '1', '1000', '134217728'],
};

/** Draws requests: out of api-spec/openapi.yaml, and by changing recorded ones where they are at hand. */
export class FuzzRequests {
  readonly #random: Random;
  readonly #endpoint: string;
  readonly #operations = operations();
  readonly #recorded: readonly Exchange[] = recordings();
  #ids: KnownIds = {};

  /** @param options.endpoint the only one that any request names as a leader */
  constructor(deps: { random: Random }, options: { endpoint: string }) {
    this.#random = deps.random;
    this.#endpoint = options.endpoint;
  }

  /** Says what there is to be asked for. */
  know(ids: KnownIds): void {
    this.#ids = ids;
  }

  next(): FuzzRequest {
    const random = this.#random;
    const isRecorded = this.#recorded.length > 0 && random.percent(30);
    const request = isRecorded ? this.#changed() : this.#drawn();
    const target = request.target.replace(LONG_WAIT, '$10.01');
    const text = request.body.toString('latin1');
    const body = text.replace(ENDPOINT, () => this.#anEndpoint());
    return { ...request, target, body: Buffer.from(body, 'latin1') };
  }

  #anEndpoint(): string {
    return this.#random.percent(70) ? this.#endpoint : (this.#random.pick(BROKEN_ENDPOINTS) ?? '');
  }

  /** A request of the document, with some things in it that should not be. */
  #drawn(): FuzzRequest {
    const random = this.#random;
    const operation = random.pick(this.#operations)!;
    const target = this.#database() + this.#path(operation) + this.#query(operation);
    const takesBody = operation.example !== undefined;
    const method = random.below(15) === 0 ? random.pick(OTHER_METHODS)! : operation.method;
    const body = takesBody || random.below(10) === 0 ? this.#body(operation.example ?? {}) : '';
    return { method, target, headers: this.#headers(operation), body: Buffer.from(body) };
  }

  /** A recorded request, in which something was changed. */
  #changed(): FuzzRequest {
    const random = this.#random;
    const { method, target, requestHeaders, requestBody } = random.pick(this.#recorded)!;
    const own = Object.entries(requestHeaders).filter(([name]) => name.startsWith('x-arango'));
    const bytes = Buffer.from(requestBody);
    return {
      method: random.below(20) === 0 ? random.pick(OTHER_METHODS)! : method,
      target: random.percent(60) ? target : this.#changedTarget(target),
      headers: random.percent(70) ? own : [...own, ...this.#oddHeaders()],
      body: random.percent(30)
        ? bytes
        : random.percent(20)
          ? hostileBody(random)
          : mutatedBytes(bytes, random),
    };
  }

  #changedTarget(target: string): string {
    const random = this.#random;
    const parts = target.split(/(?=[/?&=])/);
    const at = random.below(parts.length);
    const first = parts[at]?.[0] ?? '/';
    parts[at] = random.percent(20) ? '' : first + this.#spelled(hostileWord(random));
    return parts.join('') || '/';
  }

  #database(): string {
    const random = this.#random;
    if (random.percent(70)) return '';
    return `/_db/${random.percent(80) ? 'fuzz' : this.#spelled(hostileWord(random))}`;
  }

  #path({ path }: Operation): string {
    const random = this.#random;
    const filled = path.replace(/\{(\w+)\}/g, (_, name: string) => this.#value(name));
    if (random.percent(94)) return filled;
    return random.percent(50) ? `${filled}/` : `${filled}/${this.#spelled(hostileWord(random))}`;
  }

  #query({ parameters }: Operation): string {
    const random = this.#random;
    const pairs = parameters
      .filter((each) => each.in === 'query' && random.percent(each.required === true ? 93 : 45))
      .flatMap(({ name }) => {
        const pair = `${name}=${this.#value(name)}`;
        return random.below(25) === 0 ? [pair, `${name}=${this.#value(name)}`] : [pair];
      });
    if (random.below(15) === 0) pairs.push(this.#spelled(hostileWord(random)));
    if (random.below(400) === 0) pairs.push(`x=${'y'.repeat(random.below(60_000))}`);
    return pairs.length === 0 ? '' : `?${pairs.join('&')}`;
  }

  /** Of a parameter: something that fits, or something that does not. */
  #value(name: string): string {
    const random = this.#random;
    if (random.percent(15)) return this.#spelled(hostileWord(random));
    const known = this.#ids[name] ?? KNOWN[name] ?? ['true', 'false', '1', '0', 'x'];
    return encodeURIComponent(random.pick(known) ?? '');
  }

  /** Mostly so that it can stand in a request line. */
  #spelled(word: string): string {
    if (this.#random.percent(2)) return word;
    return /^[\w%.:-]*$/.test(word) ? word : encodeURIComponent(word);
  }

  #headers({ parameters }: Operation): FuzzRequest['headers'] {
    const random = this.#random;
    const headers: [string, string][] = [];
    if (random.percent(40))
      headers.push(['x-arango-version', random.pick(['1.4', '30000', '10400'])!]);
    for (const each of parameters) {
      if (each.in === 'header' && random.percent(20)) headers.push([each.name, this.#headerWord()]);
    }
    return random.percent(10) ? [...headers, ...this.#oddHeaders()] : headers;
  }

  #oddHeaders(): [string, string][] {
    const random = this.#random;
    const many = random.below(300) === 0 ? 3000 : 1;
    return Array.from({ length: many }, () => this.#oddHeader());
  }

  #oddHeader(): [string, string] {
    const random = this.#random;
    const name = random.pick([
      ...['x-arango-version', 'x-arango-async', 'x-arango-trx-id', 'if-match', 'if-none-match'],
      ...[
        'content-type',
        'accept',
        'accept-encoding',
        'expect',
        'authorization',
        'cookie',
        'range',
      ],
      ...['x-http-method-override', 'upgrade', 'x-forwarded-for', 'content-encoding', 'x-odd'],
    ])!;
    if (name === 'x-arango-async' && random.percent(70)) return [name, 'store'];
    if (random.below(200) === 0) return [name, 'h'.repeat(random.below(60_000))];
    return [name, this.#headerWord()];
  }

  #headerWord(): string {
    const word = hostileWord(this.#random);
    return this.#random.percent(30) ? '"1"' : Buffer.from(word).toString('latin1');
  }

  #body(example: unknown): Buffer | string {
    const random = this.#random;
    if (typeof example === 'string') {
      const bytes = Buffer.from(example);
      return random.percent(30)
        ? bytes
        : random.percent(30)
          ? hostileBody(random)
          : mutatedBytes(bytes, random);
    }
    const kind = random.below(100);
    if (kind < 25) return JSON.stringify(example);
    if (kind < 65) return mutatedJson(example, random);
    if (kind < 80) return mutatedBytes(Buffer.from(JSON.stringify(example)), random);
    return hostileBody(random);
  }
}

function operations(): Operation[] {
  return Object.entries(apiDocument.paths).flatMap(([path, item]) =>
    METHODS.filter((method) => method in item).flatMap((method) => {
      const { parameters = [], requestBody } = item[method] as {
        parameters?: unknown[];
        requestBody?: unknown;
      };
      const shared = (item['parameters'] ?? []) as unknown[];
      const operation: Operation = {
        method: method.toUpperCase(),
        path,
        parameters: [...shared, ...parameters].map((each) => resolved<Parameter>(each)),
        example: requestBody === undefined ? undefined : exampleOf(requestBody),
      };
      const times = /^\/_api\/(?:document|edge)/.test(path) ? DOCUMENT_WEIGHT : 1;
      return Array.from({ length: times }, () => operation);
    }),
  );
}

function exampleOf(requestBody: unknown): unknown {
  const { content } = resolved<{ content: Readonly<Record<string, ApiContent>> }>(requestBody);
  return Object.values(content)[0]?.example ?? {};
}

/** Requests of the recordings, those for leaders and for followers alike. */
function recordings(): Exchange[] {
  if (!CAPTURES_FOUND) return [];
  return CAPTURED_VERSIONS.flatMap((version) =>
    readCaptures(version).flatMap(({ exchanges }) => exchanges),
  ).filter(({ target }) => target.startsWith('/'));
}
