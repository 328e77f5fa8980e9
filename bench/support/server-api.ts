import { HttpClient, type Method, type RequestBody, UnexpectedAnswer } from './http-client.ts';

/** One collection as the inventory shows it. */
export interface InventoryEntry {
  readonly parameters: { readonly cid: string; readonly name: string; readonly type: number };
  readonly indexes: readonly Readonly<Record<string, unknown>>[];
}

/** What the state of an applier is read for. */
export interface ApplierState {
  readonly running: boolean;
  /** 0n when nothing was applied. */
  readonly appliedTick: bigint;
  readonly errorNum: number;
  readonly errorMessage: string;
  /** Free text: what it is doing. */
  readonly progress: string;
}

export interface ImportOptions {
  /** All or nothing, in one transaction. */
  readonly complete?: boolean;
}

const REPLICATION = '/_api/replication';
const DOCUMENT_COLLECTION = 2;

/** The calls of a server that demo and benchmark make, in its database `_system`. */
export class ServerApi implements AsyncDisposable {
  readonly http: HttpClient;

  constructor(options: { url: string; connections?: number }) {
    this.http = new HttpClient(options);
  }

  /** @param type 2 for documents, 3 for edges */
  async createCollection(name: string, type = DOCUMENT_COLLECTION): Promise<void> {
    await this.#call('POST', '/_api/collection', JSON.stringify({ name, type }));
  }

  async createIndex(collection: string, definition: Record<string, unknown>): Promise<void> {
    await this.#call('POST', `/_api/index?collection=${collection}`, JSON.stringify(definition));
  }

  async truncate(collection: string): Promise<void> {
    await this.#call('PUT', `/_api/collection/${collection}/truncate`);
  }

  async count(collection: string): Promise<number> {
    const { count } = await this.#call('GET', `/_api/collection/${collection}/count`);
    return Number(count);
  }

  /**
   * Sends documents, one JSON object a line, as one import.
   * @throws Error when the server took another number of them than `expected`
   */
  async import(
    collection: string,
    lines: RequestBody,
    expected: number,
    options: ImportOptions = {},
  ): Promise<void> {
    const complete = options.complete ?? false;
    const query = `collection=${collection}&type=documents&complete=${complete}&details=true`;
    const answer = await this.#call('POST', `/_api/import?${query}`, lines);
    if (answer['created'] === expected && answer['errors'] === 0) return;
    const said = JSON.stringify(answer).slice(0, 500);
    throw new Error(`${expected} documents were sent to be imported; the answer was ${said}`);
  }

  /** Writes one document. @returns its revision */
  async insert(collection: string, text: string): Promise<string> {
    const { _rev } = await this.#call('POST', `/_api/document?collection=${collection}`, text);
    return String(_rev);
  }

  /** Writes a document anew. @returns its revision */
  async replace(collection: string, key: string, text: string): Promise<string> {
    const { _rev } = await this.#call('PUT', documentPath(collection, key), text);
    return String(_rev);
  }

  /** Changes some attributes of a document. @returns its revision */
  async update(collection: string, key: string, text: string): Promise<string> {
    const { _rev } = await this.#call('PATCH', documentPath(collection, key), text);
    return String(_rev);
  }

  async remove(collection: string, key: string): Promise<void> {
    await this.#call('DELETE', documentPath(collection, key));
  }

  /** The text of a document as the server gives it. */
  async document(collection: string, key: string): Promise<string> {
    const path = documentPath(collection, key);
    const answer = await this.http.request('GET', path);
    if (answer.status !== 200) throw new UnexpectedAnswer(`GET ${path}`, answer);
    return answer.body.toString('utf8');
  }

  /** Without caps the log keeps everything, so that a follower may come as late as it likes. */
  async liftLoggerCaps(): Promise<void> {
    const config = JSON.stringify({ maxEvents: 0, maxEventsSize: 0 });
    await this.#call('PUT', `${REPLICATION}/logger-config`, config);
  }

  /** From now on nothing is written to the log. */
  async stopLogger(): Promise<void> {
    await this.#call('PUT', `${REPLICATION}/logger-stop`);
  }

  /** How many entries were written to the log since it began. */
  async totalEvents(): Promise<number> {
    const { state } = await this.#call('GET', `${REPLICATION}/logger-state`);
    return (state as { totalEvents: number }).totalEvents;
  }

  /** Restores lines of a dump, newlines between them, into a collection. */
  async restoreData(collection: string, lines: Buffer): Promise<void> {
    const path = `${REPLICATION}/restore-data?collection=${collection}`;
    const answer = await this.#call('PUT', path, lines);
    if (answer['result'] !== true) throw new Error(`restore-data said ${JSON.stringify(answer)}`);
  }

  /** Tick of the oldest entry of the log. */
  async firstLogTick(): Promise<bigint> {
    const { firstTick } = await this.#call('GET', `${REPLICATION}/logger-first-tick`);
    return BigInt(String(firstTick));
  }

  /** A page of the log behind a tick. @returns its bytes */
  async followPage(from: bigint, chunkBytes: number): Promise<number> {
    const path = `${REPLICATION}/logger-follow?from=${from}&chunkSize=${chunkBytes}`;
    const answer = await this.http.request('GET', path);
    if (answer.status !== 200) throw new UnexpectedAnswer(`GET ${path}`, answer);
    return answer.body.length;
  }

  async dropCollection(name: string): Promise<void> {
    await this.#call('DELETE', `/_api/collection/${name}`);
  }

  /** Tick of the newest entry of the log. */
  async lastLogTick(): Promise<bigint> {
    const { state } = await this.#call('GET', `${REPLICATION}/logger-state`);
    return BigInt((state as { lastLogTick: string }).lastLogTick);
  }

  async inventory(): Promise<readonly InventoryEntry[]> {
    const { collections } = await this.#call('GET', `${REPLICATION}/inventory`);
    return collections as InventoryEntry[];
  }

  /** Copies everything from a leader. @returns the tick to follow it from */
  async sync(leaderEndpoint: string): Promise<{ lastLogTick: string; collections: number }> {
    const body = JSON.stringify({ endpoint: leaderEndpoint });
    const { lastLogTick, collections } = await this.#call('PUT', `${REPLICATION}/sync`, body);
    return {
      lastLogTick: String(lastLogTick),
      collections: Array.isArray(collections) ? collections.length : 0,
    };
  }

  async configureApplier(config: Readonly<Record<string, unknown>>): Promise<void> {
    await this.#call('PUT', `${REPLICATION}/applier-config`, JSON.stringify(config));
  }

  /** @param from where to begin; without it the applier goes on where it was */
  async startApplier(from?: string): Promise<void> {
    const query = from === undefined ? '' : `?from=${from}`;
    await this.#call('PUT', `${REPLICATION}/applier-start${query}`);
  }

  async stopApplier(): Promise<void> {
    await this.#call('PUT', `${REPLICATION}/applier-stop`);
  }

  async applierState(): Promise<ApplierState> {
    const { state } = await this.#call('GET', `${REPLICATION}/applier-state`);
    const { running, lastAppliedContinuousTick, lastError, progress } = state as WireApplierState;
    return {
      running,
      appliedTick: BigInt(lastAppliedContinuousTick ?? 0),
      errorNum: lastError.errorNum,
      errorMessage: lastError.errorMessage ?? '',
      progress: progress?.message ?? '',
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.http[Symbol.asyncDispose]();
  }

  async #call(method: Method, path: string, body?: RequestBody): Promise<Record<string, unknown>> {
    return (await this.http.json(method, path, body)) as Record<string, unknown>;
  }
}

interface WireApplierState {
  readonly running: boolean;
  readonly lastAppliedContinuousTick: string | null;
  readonly lastError: { readonly errorNum: number; readonly errorMessage?: string };
  readonly progress?: { readonly message?: string };
}

function documentPath(collection: string, key: string): string {
  return `/_api/document/${collection}/${encodeURIComponent(key)}`;
}
