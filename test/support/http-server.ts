import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Readable } from 'node:stream';
import { Agent, type Dispatcher, request } from 'undici';
import { type Access, openAccess } from '../../src/access/access.ts';
import { type Clock, systemClock } from '../../src/base/clock.ts';
import { type Logger, silentLogger } from '../../src/base/logger.ts';
import { Catalogue } from '../../src/documents/catalogue.ts';
import { Checksums } from '../../src/documents/checksum.ts';
import { Collections } from '../../src/documents/collections.ts';
import { Databases } from '../../src/documents/databases.ts';
import { DocumentArrays } from '../../src/documents/document-arrays.ts';
import { Documents } from '../../src/documents/documents.ts';
import { Importer } from '../../src/documents/import.ts';
import {
  StreamTransactions,
  type StreamTransactionsOptions,
} from '../../src/documents/stream-transactions.ts';
import { type AppDeps, type AppOptions, createApp } from '../../src/http/app.ts';
import { DEFAULT_LOGGER_CONFIG, type LoggerConfig } from '../../src/model/logger-config.ts';
import { Store } from '../../src/storage/store.ts';
import { checkAnswer } from './api-check.ts';
import { makeTempDir } from './temp-dir.ts';

/** What the tests look at in an answer. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  /** The body parsed; throws when it is no JSON. */
  readonly json: Record<string, unknown>;
}

export interface RequestOptions {
  /** A string or bytes are sent as they are, a readable is streamed, anything else is sent as JSON. */
  readonly body?: unknown;
  readonly headers?: Record<string, string>;
  /** The answer is not to be looked up in api-spec/openapi.yaml. */
  readonly undocumented?: boolean;
}

/** The parts of a running server. */
export interface ServerParts {
  readonly store: Store;
  readonly catalogue: Catalogue;
  readonly databases: Databases;
  readonly collections: Collections;
  readonly documents: Documents;
  readonly arrays: DocumentArrays;
  readonly importer: Importer;
  readonly transactions: StreamTransactions;
  readonly checksums: Checksums;
  readonly access: Access;
  readonly clock: Clock;
  readonly flush: () => Promise<void>;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

export interface TestServer extends AsyncDisposable, ServerParts {
  readonly url: string;
  readonly port: number;
  /** Sends a request. @throws Error when the answer is not one of those in api-spec/openapi.yaml */
  request(method: string, path: string, options?: RequestOptions): Promise<Answer>;
  /** Says to all requests that the server is about to stop. */
  abort(): void;
}

export interface TestServerOptions extends AppOptions {
  readonly loggerConfig?: LoggerConfig;
  readonly transactionMaxBytes?: number;
  readonly streaming?: Partial<StreamTransactionsOptions>;
  readonly clock?: Clock;
  readonly tokenSecret?: Buffer;
  readonly logger?: Logger;
  readonly onDropDatabase?: AppDeps['onDropDatabase'];
  /** Further routers, made from the parts of the server. */
  readonly routers?: (parts: ServerParts) => AppDeps['routers'];
  /** Beginnings of paths that only the test has; their answers are in no document. */
  readonly undocumented?: readonly string[];
}

const TRANSACTION_MAX_BYTES = 64 * 1024 * 1024;
const STREAMING_BUDGET_BYTES = 256 * 1024 * 1024;
const STREAMING_MAX_OPEN = 100;
const STREAMING_IDLE_TIMEOUT_MS = 60_000;
const TOKEN_LIFETIME_MS = 60_000;
/** The least: passwords of tests need not be hard to guess. */
const PASSWORD_COST = 2;

/**
 * A store in a directory of its own, with the HTTP interface on a free port of the loopback:
 * `await using server = await openTestServer()`.
 */
export async function openTestServer(options: TestServerOptions = {}): Promise<TestServer> {
  const directory = await makeTempDir();
  const abort = new AbortController();
  const parts = await openParts(directory.path, options, abort.signal);
  const routers = options.routers?.(parts);
  const app = createApp(
    {
      ...parts,
      ...(options.onDropDatabase ? { onDropDatabase: options.onDropDatabase } : {}),
      ...(routers ? { routers } : {}),
    },
    options,
  );
  const server = createServer(app);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}`;
  const agent = new Agent();
  return {
    ...parts,
    url,
    port,
    abort: () => abort.abort(),
    request: async (method, path, request = {}) => {
      const answer = await send(agent, url + path, method, request);
      const isOwn = options.undocumented?.some((start) => path.startsWith(start)) ?? false;
      if (!isOwn && request.undocumented !== true) checkAnswer(method, path, answer);
      return answer;
    },
    async [Symbol.asyncDispose]() {
      abort.abort();
      await agent.destroy();
      await new Promise((resolve) => server.close(resolve));
      await parts.transactions.close();
      await parts.store.close();
      await directory[Symbol.asyncDispose]();
    },
  };
}

async function openParts(
  directory: string,
  options: TestServerOptions,
  signal: AbortSignal,
): Promise<ServerParts> {
  const clock = options.clock ?? systemClock;
  const logger = options.logger ?? silentLogger;
  const defaultLoggerConfig = options.loggerConfig ?? DEFAULT_LOGGER_CONFIG;
  const transactionMaxBytes = options.transactionMaxBytes ?? TRANSACTION_MAX_BYTES;
  const store = await Store.open({ clock, logger }, { directory });
  const catalogue = await Catalogue.load(store, { defaultLoggerConfig });
  const collections = new Collections({ store, catalogue }, { transactionMaxBytes });
  const access = await openAccess(
    { store, clock },
    {
      secret: options.tokenSecret ?? randomBytes(32),
      lifetimeMs: TOKEN_LIFETIME_MS,
      cost: PASSWORD_COST,
    },
  );
  const databases = new Databases(
    { store, catalogue, collections },
    { defaultLoggerConfig, onDrop: (tx, name) => access.users.forgetDatabase(tx, name) },
  );
  await databases.open();
  return {
    store,
    catalogue,
    databases,
    collections,
    documents: new Documents({ store }),
    arrays: new DocumentArrays({ store }, { transactionMaxBytes }),
    importer: new Importer({ store, collections }, { transactionMaxBytes }),
    transactions: new StreamTransactions(
      { store, clock },
      {
        maxBytes: transactionMaxBytes,
        budgetBytes: STREAMING_BUDGET_BYTES,
        maxOpen: STREAMING_MAX_OPEN,
        idleTimeoutMs: STREAMING_IDLE_TIMEOUT_MS,
        ...options.streaming,
      },
    ),
    checksums: new Checksums({ store }),
    access,
    clock,
    flush: () => store.flush(),
    logger,
    signal,
  };
}

async function send(
  dispatcher: Dispatcher,
  url: string,
  method: string,
  { body, headers = {} }: RequestOptions,
): Promise<Answer> {
  const response = await request(url, {
    dispatcher,
    method: method,
    headers,
    body: bodyOf(body),
  });
  const text = await response.body.text();
  return {
    status: response.statusCode,
    headers: response.headers,
    text,
    get json() {
      return JSON.parse(text) as Record<string, unknown>;
    },
  };
}

function bodyOf(body: unknown): NonNullable<Dispatcher.DispatchOptions['body']> | null {
  if (body === undefined) return null;
  if (typeof body === 'string' || Buffer.isBuffer(body)) return body;
  if (typeof body === 'object' && body !== null && 'pipe' in body) {
    return body as Readable;
  }
  return JSON.stringify(body);
}
