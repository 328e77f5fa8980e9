import { silentLogger } from '../../src/base/logger.ts';
import { systemClock } from '../../src/base/clock.ts';
import type { Catalogue } from '../../src/documents/catalogue.ts';
import type { Collection } from '../../src/documents/collection.ts';
import type { Database } from '../../src/documents/database.ts';
import { RefusedAnswer } from '../../src/follower/classify.ts';
import type { DumpCollectionsRequest, DumpRequest } from '../../src/follower/leader-requests.ts';
import type { CollectionsPage, DumpPage } from '../../src/follower/leader-page.ts';
import { LeaderClient, type LeaderClientOptions } from '../../src/follower/leader-client.ts';
import {
  InitialSyncer,
  type InitialSyncerOptions,
  type SyncRequest,
  type SyncResult,
} from '../../src/follower/initial-syncer.ts';
import type { IndexDefinition } from '../../src/model/collection.ts';
import { ServiceError } from '../../src/model/errors.ts';
import {
  Space,
  metaKey,
  numberRange,
  prefixRange,
  primaryKeyDocument,
} from '../../src/storage/keys.ts';
import type { Store } from '../../src/storage/store.ts';
import { TestCore } from './store.ts';

/** The answer of leaders that do not know a command. */
export function refuse(): never {
  throw new ServiceError('leaderError', 'invalid command', {
    cause: new RefusedAnswer(400, { errorNum: 400, errorMessage: 'invalid command' }),
  });
}

/** A client whose pages of collections a test sees before the syncer does. */
export class WatchedClient extends LeaderClient {
  /** Called before each request for a page; may throw. */
  onDump: (request: DumpRequest, n: number) => void | Promise<void> = () => undefined;
  dumps: DumpRequest[] = [];

  /** Called before each request for several collections; may throw, as `refuse` does. */
  onTogether: (request: DumpCollectionsRequest, n: number) => void | Promise<void> = () =>
    undefined;
  together: DumpCollectionsRequest[] = [];

  override async dumpCollections(
    request: DumpCollectionsRequest,
    signal: AbortSignal,
  ): Promise<CollectionsPage> {
    this.together.push(request);
    await this.onTogether(request, this.together.length);
    return super.dumpCollections(request, signal);
  }

  override async dump(request: DumpRequest, signal: AbortSignal): Promise<DumpPage> {
    this.dumps.push(request);
    await this.onDump(request, this.dumps.length);
    return super.dump(request, signal);
  }
}

/** A follower without HTTP of its own: a core, and a syncer on it. */
export class SyncFollower implements AsyncDisposable {
  readonly core: TestCore;
  readonly client: WatchedClient;
  /** Every message of all syncs. */
  readonly messages: string[] = [];
  readonly #options: InitialSyncerOptions;
  #syncer: InitialSyncer;

  private constructor(core: TestCore, client: WatchedClient, options: InitialSyncerOptions) {
    this.core = core;
    this.client = client;
    this.#options = options;
    this.#syncer = this.#newSyncer();
  }

  static async open(
    leader: { readonly endpoint: string } & Partial<LeaderClientOptions>,
    options: InitialSyncerOptions = {},
  ): Promise<SyncFollower> {
    const core = await TestCore.open({ clock: systemClock });
    const client = new WatchedClient(
      {},
      {
        database: '_system',
        requestTimeoutMs: 20_000,
        connectTimeoutMs: 2000,
        ownServerId: core.store.server.serverId,
        ...leader,
        endpoint: leader.endpoint,
      },
    );
    return new SyncFollower(core, client, options);
  }

  get syncer(): InitialSyncer {
    return this.#syncer;
  }

  get database(): Database {
    return this.core.system;
  }

  sync(
    request: Partial<SyncRequest> = {},
    signal = new AbortController().signal,
  ): Promise<SyncResult> {
    return this.#syncer.run(
      this.database,
      {
        client: this.client,
        restrictType: '',
        restrictCollections: [],
        includeSystem: true,
        onProgress: (message) => this.messages.push(message),
        ...request,
      },
      signal,
    );
  }

  /** What is stored of a sync under way. */
  async progressRecords(): Promise<number> {
    const { start, end } = prefixRange(metaKey('y', this.database.number));
    return (await this.core.store.level.keys({ gte: start, lt: end }).all()).length;
  }

  /** As after a restart of the process. */
  async restart(): Promise<void> {
    await this.core.reopen();
    this.#syncer = this.#newSyncer();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.client.close();
    await this.core[Symbol.asyncDispose]();
  }

  #newSyncer(): InitialSyncer {
    const { store, catalogue, copies } = this.core;
    return new InitialSyncer(
      { store, catalogue, copies, logger: silentLogger, clock: systemClock },
      this.#options,
    );
  }
}

/** All of a collection that a copy must have too. */
export interface CollectionContent {
  readonly cid: string;
  readonly type: number;
  readonly indexes: readonly IndexDefinition[];
  readonly parameters: unknown;
  readonly count: number;
  /** Stored text of the documents by key. */
  readonly documents: Readonly<Record<string, unknown>>;
}

/** What a database holds, by names of collections. */
export async function contentOf(
  store: Store,
  database: Database,
): Promise<Record<string, CollectionContent>> {
  const content: Record<string, CollectionContent> = {};
  for (const collection of database.collections) {
    content[collection.name] = {
      cid: collection.cid,
      type: collection.type,
      indexes: collection.indexDefinitions,
      parameters: collection.parameters,
      count: collection.stats.count,
      documents: await documentsOf(store, collection),
    };
  }
  return content;
}

/** Stored text of the documents by key. */
export async function documentsOf(
  store: Store,
  collection: Collection,
): Promise<Record<string, unknown>> {
  const { start, end } = numberRange(Space.primary, collection.number);
  const documents: Record<string, unknown> = {};
  for await (const stored of store.level.keys({ gte: start, lt: end })) {
    const key = primaryKeyDocument(stored);
    const line = store.readLine(collection.number, key)?.line ?? '';
    documents[key] = (JSON.parse(line) as { data: unknown }).data;
  }
  return documents;
}

/** Keys of a collection by its name; undefined when there is no such collection. */
export async function keysOf(
  core: { readonly store: Store; readonly catalogue: Catalogue },
  name: string,
): Promise<string[] | undefined> {
  const collection = core.catalogue.get('_system').byName(name);
  return collection && Object.keys(await documentsOf(core.store, collection)).sort();
}
