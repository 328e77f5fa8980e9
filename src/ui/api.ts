import { cureInMessage } from '../model/error-words.ts';
import { clearSession, session } from './session.ts';
import type { ErrorWords } from './types.ts';

/** What the server refused, with its number and its words. */
export class Refused extends Error {
  readonly status: number;
  readonly errorNum: number;

  constructor(status: number, errorNum: number, message: string) {
    super(message);
    this.name = 'Refused';
    this.status = status;
    this.errorNum = errorNum;
  }
}

/** Nobody has logged in, or no longer. */
export class LoginNeeded extends Error {
  constructor() {
    super('log in first');
    this.name = 'LoginNeeded';
  }
}

/** What stands before `/_admin/ui/` in the address: a proxy may have put something there. */
const BASE =
  location.origin + (location.pathname.split('/_admin/ui')[0] ?? '').replace(/\/_db\/[^/]*$/, '');

/** An answer may be this late before the server counts as gone. */
const TIMEOUT_MS = 20_000;

/**
 * Sends a request about a database and resolves with the answer, if it is a good one.
 * @param options.signal ends the answer as well; without one that is given up when it takes too long
 */
export async function send(
  method: string,
  database: string,
  path: string,
  options: { body?: unknown; headers?: Record<string, string>; signal?: AbortSignal } = {},
): Promise<Response> {
  const { body, headers = {}, signal = AbortSignal.timeout(TIMEOUT_MS) } = options;
  const { token, isByBrowser } = session();
  const response = await fetch(`${BASE}/_db/${encodeURIComponent(database)}${path}`, {
    method,
    cache: 'no-store',
    headers: {
      // Answers in the shape that this page knows, whatever the server shows to others.
      'x-arango-version': '10403',
      ...(isByBrowser ? {} : { 'x-omit-www-authenticate': 'true' }),
      ...(token === undefined ? {} : { authorization: `bearer ${token}` }),
      ...headers,
    },
    signal,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  if (response.ok) return response;
  if (response.status === 401) {
    if (token !== undefined) clearSession();
    throw new LoginNeeded();
  }
  throw await refusal(response);
}

async function refusal(response: Response): Promise<Refused> {
  const text = await response.text();
  try {
    const { errorNum, errorMessage } = JSON.parse(text) as {
      errorNum: number;
      errorMessage: string;
    };
    return new Refused(response.status, errorNum, errorMessage);
  } catch {
    // Something in between answered, and not the server.
    return new Refused(response.status, 0, `${response.status} ${response.statusText}`);
  }
}

/** GET of JSON. */
export async function get<T>(database: string, path: string): Promise<T> {
  const response = await send('GET', database, path);
  return (await response.json()) as T;
}

/** PUT, with JSON in both directions. */
export async function put<T>(database: string, path: string, body: unknown = {}): Promise<T> {
  const response = await send('PUT', database, path, { body });
  return (await response.json()) as T;
}

/**
 * What helps against an error, by its message or its number; an empty text where nothing is known.
 * @param who met it: one who sent a request, or an applier
 */
export async function cureOf(
  { errorNum, errorMessage }: ErrorWords,
  who: 'caller' | 'applier',
): Promise<string> {
  const special = cureInMessage(errorMessage);
  if (special !== undefined) return special;
  cures ??= fetch('cures.json')
    .then((response) => (response.ok ? response.json() : {}) as Promise<Cures>)
    .catch(() => ({}));
  return (await cures)[errorNum]?.[who] ?? '';
}

type Cures = Record<string, { readonly caller: string; readonly applier: string }>;

let cures: Promise<Cures> | undefined;

/** Gets a token for a name and a password. @throws Refused when they are not those of anyone */
export async function fetchToken(username: string, password: string): Promise<string> {
  const response = await fetch(`${BASE}/_open/auth`, {
    method: 'POST',
    headers: { 'x-omit-www-authenticate': 'true' },
    credentials: 'omit',
    body: JSON.stringify({ username, password }),
  });
  if (response.status === 401) {
    throw new Refused(401, 401, 'There is no active user of this name and password.');
  }
  if (!response.ok) throw await refusal(response);
  return ((await response.json()) as { jwt: string }).jwt;
}
