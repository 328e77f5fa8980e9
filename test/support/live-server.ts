import { cp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { waitUntilApplied } from '../../bench/support/catch-up.ts';
import {
  type ApplierState,
  type InventoryEntry,
  ServerApi,
} from '../../bench/support/server-api.ts';
import { type Logger, silentLogger } from '../../src/base/logger.ts';
import { readConfig } from '../../src/config/server-config.ts';
import { type RunningServer, startServer } from '../../src/server.ts';
import { followerDifferences, readServer } from './server-reading.ts';
import { type TempDir, makeTempDir } from './temp-dir.ts';

const CAUGHT_UP_MS = 30_000;
const STOPPED_MS = 20_000;
const POLL_MS = 5;

/** What a sync may be told besides the endpoint. */
export interface SyncRequestBody {
  readonly database?: string;
  readonly restrictType?: 'include' | 'exclude';
  readonly restrictCollections?: readonly string[];
  readonly includeSystem?: boolean;
}

/**
 * The whole product in this process, in a directory of its own and on a free port, spoken to over HTTP
 * only: `await using leader = await LiveServer.start()`. Its logger runs from the first write on.
 */
export class LiveServer implements AsyncDisposable {
  readonly #dir: TempDir;
  #server: RunningServer;
  #api: ServerApi;

  readonly #logger: Logger;

  private constructor(dir: TempDir, server: RunningServer, logger: Logger) {
    this.#dir = dir;
    this.#server = server;
    this.#api = apiOf(server);
    this.#logger = logger;
  }

  static async start(options: { logger?: Logger } = {}): Promise<LiveServer> {
    const { logger = silentLogger } = options;
    const dir = await makeTempDir();
    return new LiveServer(dir, await open(dir, logger), logger);
  }

  get api(): ServerApi {
    return this.#api;
  }

  /** `tcp://127.0.0.1:PORT` */
  get endpoint(): string {
    return this.#server.url.replace('http:', 'tcp:');
  }

  /** Stops it and starts it again on its directory, on another port. */
  async restart(): Promise<void> {
    await this.#close();
    this.#server = await open(this.#dir, this.#logger);
    this.#api = apiOf(this.#server);
  }

  /** Makes a copy of its directory, for `putBack`; it is on another port then. */
  async backUp(): Promise<void> {
    await this.#exchange('data', 'backup');
  }

  /** Puts its directory back to what it was at `backUp`; it is on another port then. */
  async putBack(): Promise<void> {
    await this.#exchange('backup', 'data');
  }

  /** @returns its id */
  async create(name: string, type = 2): Promise<string> {
    const { id } = await this.#json('POST', '/_api/collection', {
      name,
      type,
      isSystem: name.startsWith('_'),
    });
    return String(id);
  }

  async drop(nameOrId: string): Promise<void> {
    await this.#json('DELETE', `/_api/collection/${nameOrId}`);
  }

  async rename(nameOrId: string, name: string): Promise<void> {
    await this.#json('PUT', `/_api/collection/${nameOrId}/rename`, { name });
  }

  /** Writes documents of these keys; in an edge collection they are edges. */
  async put(collection: string, ...keys: string[]): Promise<void> {
    for (const key of keys) {
      const text = JSON.stringify({ _key: key, of: collection });
      await this.#api.insert(collection, text);
    }
  }

  async putEdge(collection: string, key: string): Promise<void> {
    const path = `/_api/edge?collection=${collection}&from=${collection}/1&to=${collection}/2`;
    await this.#json('POST', path, { _key: key });
  }

  /** Names of all its collections, sorted. */
  async names(): Promise<string[]> {
    const path = '/_api/replication/inventory?includeSystem=true';
    const { collections } = (await this.#api.http.json('GET', path)) as {
      collections: InventoryEntry[];
    };
    return collections.map(({ parameters }) => parameters.name).sort();
  }

  /** Its id on this server; undefined when there is none. */
  async idOf(name: string): Promise<string | undefined> {
    const inventory = await this.#api.inventory();
    return inventory.find(({ parameters }) => parameters.name === name)?.parameters.cid;
  }

  /** Copies a leader. @returns names of what was copied */
  async sync(leader: LiveServer, body: SyncRequestBody = {}): Promise<string[]> {
    const request = { endpoint: leader.endpoint, ...body };
    const answer = await this.#json('PUT', '/_api/replication/sync', request);
    return (answer['collections'] as { name: string }[]).map(({ name }) => name);
  }

  /** Sets its applier to follow, without starting it. */
  async configure(leader: LiveServer, config: Record<string, unknown> = {}): Promise<void> {
    await this.#api.configureApplier({
      ...{ endpoint: leader.endpoint, connectionRetryWaitTime: 0.1 },
      ...config,
    });
  }

  /** Waits until it has applied all that the leader has logged by now. @throws when its applier stops */
  async caughtUp(leader: LiveServer): Promise<void> {
    const tick = await leader.api.lastLogTick();
    await waitUntilApplied(this.#api, tick, AbortSignal.timeout(CAUGHT_UP_MS));
  }

  /** Starts the applier, waits until it has caught up, and stops it. */
  async follow(leader: LiveServer, from?: bigint): Promise<void> {
    await this.#api.startApplier(from?.toString());
    await this.caughtUp(leader);
    await this.#api.stopApplier();
  }

  /** Waits until its applier stands still. @throws Error when it never does */
  async stopped(): Promise<ApplierState> {
    for (const deadlineMs = performance.now() + STOPPED_MS; ;) {
      const state = await this.#api.applierState();
      if (!state.running) return state;
      if (performance.now() > deadlineMs) throw new Error(`still ${state.progress}`);
      await sleep(POLL_MS);
    }
  }

  /** In what it differs from a leader that nobody writes to, in sentences. */
  async differences(leader: LiveServer): Promise<string[]> {
    // What is replayed is written again.
    const here = await readServer(this.#api, { mayRepeat: true });
    return followerDifferences(await readServer(leader.api), here);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#close();
    await this.#dir[Symbol.asyncDispose]();
  }

  async #exchange(from: string, to: string): Promise<void> {
    await this.#close();
    await rm(join(this.#dir.path, to), { recursive: true, force: true });
    await cp(join(this.#dir.path, from), join(this.#dir.path, to), { recursive: true });
    this.#server = await open(this.#dir, this.#logger);
    this.#api = apiOf(this.#server);
  }

  async #close(): Promise<void> {
    await this.#api[Symbol.asyncDispose]();
    await this.#server.stop();
  }

  async #json(
    method: 'POST' | 'PUT' | 'DELETE',
    path: string,
    body?: object,
  ): Promise<Record<string, unknown>> {
    const text = body && JSON.stringify(body);
    return (await this.#api.http.json(method, path, text)) as Record<string, unknown>;
  }
}

function open(dir: TempDir, logger: Logger): Promise<RunningServer> {
  const config = readConfig({
    flags: {
      'server.endpoint': 'tcp://127.0.0.1:0',
      'database.directory': join(dir.path, 'data'),
    },
    env: {},
    readFile: () => '',
  });
  return startServer({ logger }, config);
}

function apiOf({ url }: RunningServer): ServerApi {
  return new ServerApi({ url, connections: 2 });
}
