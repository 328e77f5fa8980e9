import { Header } from '../../src/protocol/headers.ts';
import { checkAnswer } from './api-check.ts';
import { RunningServers } from './running-servers.ts';

type Json = Record<string, unknown>;

/** An answer that is as api-spec/openapi.yaml says. */
export interface Seen {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
  /** The body parsed; throws when it is no JSON. */
  readonly json: Json;
  /** The body parsed as lines of JSON. */
  readonly lines: Json[];
  /** The header of this name; the empty text without one. */
  readonly checkMore: string;
  readonly lastIncluded: string;
}

/** A whole server, spoken to over HTTP only. */
export interface AskedServer extends AsyncDisposable {
  /** `tcp://127.0.0.1:PORT` */
  readonly endpoint: string;
  /**
   * Sends a request.
   * @param path below `/_api/`
   * @param body text is sent as it is, anything else as JSON
   */
  readonly ask: (
    method: string,
    path: string,
    body?: unknown,
    headers?: Record<string, string>,
  ) => Promise<Seen>;
}

const UNTIL_MS = 30_000;
const POLL_MS = 25;

/** Opens a server in a directory of its own: `await using server = await openAskedServer()`. */
export async function openAskedServer(
  flags: Readonly<Record<string, string>> = {},
): Promise<AskedServer> {
  const servers = await RunningServers.open();
  const { url, endpoint } = await servers.start('server', flags);
  return {
    endpoint,
    ask: (method, path, body, headers) => ask(url, method, `/_api/${path}`, body, headers),
    [Symbol.asyncDispose]: () => servers[Symbol.asyncDispose](),
  };
}

/** `state` of logger-state. */
export async function loggerState(
  server: AskedServer,
): Promise<{ running: boolean; lastLogTick: string; totalEvents: number }> {
  const { json } = await server.ask('GET', 'replication/logger-state');
  return json['state'] as { running: boolean; lastLogTick: string; totalEvents: number };
}

/** Creates a collection whose writes wait for the disk. @returns its id */
export async function createSynced(server: AskedServer, name: string, type = 2): Promise<string> {
  const { json } = await server.ask('POST', 'collection', { name, type, waitForSync: true });
  return String(json['id']);
}

/** What of applier-state the tests look at. */
export interface AskedApplier {
  readonly running: boolean;
  readonly lastAppliedContinuousTick: string | null;
  readonly lastError: { readonly errorNum: number };
}

/** `state` of applier-state, as soon as it is as wanted. @throws Error when it never is */
export async function applierUntil(
  server: AskedServer,
  wanted: (state: AskedApplier) => boolean,
): Promise<AskedApplier> {
  for (const deadlineMs = performance.now() + UNTIL_MS; ;) {
    const { json } = await server.ask('GET', 'replication/applier-state');
    const state = json['state'] as AskedApplier;
    if (wanted(state)) return state;
    if (performance.now() > deadlineMs) throw new Error(`still ${JSON.stringify(state)}`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

async function ask(
  url: string,
  method: string,
  path: string,
  body: unknown,
  sent: Record<string, string> = {},
): Promise<Seen> {
  const content = body === undefined || typeof body === 'string' ? body : JSON.stringify(body);
  const response = await fetch(url + path, { method, headers: sent, body: content ?? null });
  const text = await response.text();
  const { status } = response;
  const headers = Object.fromEntries(response.headers);
  checkAnswer(method, path, { status, headers, text });
  return {
    status,
    headers,
    text,
    get json() {
      return JSON.parse(text) as Json;
    },
    get lines() {
      const lines = text.split('\n').slice(0, -1);
      return lines.map((line) => JSON.parse(line) as Json);
    },
    checkMore: headers[Header.checkMore] ?? '',
    lastIncluded: headers[Header.lastIncluded] ?? '',
  };
}
