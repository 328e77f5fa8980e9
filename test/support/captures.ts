import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/*
 * The recordings of real servers, which are no part of the project: one directory for each version, with the
 * order of the recordings in its INDEX.md.
 */

const ROOT = fileURLToPath(new URL('../../../shared/captures/', import.meta.url));

/** Whether the recordings are at hand. */
export const CAPTURES_FOUND = existsSync(ROOT);

/** The versions that were recorded. */
export const CAPTURED_VERSIONS = ['1.4.3', '3.0.3'] as const;

export type CapturedVersion = (typeof CAPTURED_VERSIONS)[number];

/** One request and what a real server answered. */
export interface Exchange {
  /** Which of the two recorded servers was asked. */
  readonly server: 'leader' | 'follower';
  readonly method: string;
  /** Path and query. */
  readonly target: string;
  readonly requestHeaders: Readonly<Record<string, string>>;
  readonly requestBody: string;
  readonly status: number;
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
}

/** A file of recordings. */
export interface Capture {
  /** Path below the directory of the version, such as `dump/whole.http`. */
  readonly file: string;
  readonly exchanges: readonly Exchange[];
}

/** The recordings of single requests, in the order of INDEX.md. */
export function readCaptures(version: CapturedVersion): Capture[] {
  const index = readText(version, 'INDEX.md');
  const files = [...index.matchAll(/^\| (\w+\/\S+\.http) \|/gm)].map(([, file = '']) => file);
  return files.map((file) => ({ file, exchanges: readExchanges(readText(version, file)) }));
}

/** The recording of everything that went over the connections of a program, in the order of time. */
export function readTraffic(version: CapturedVersion, file: string): Exchange[] {
  const bytes = readFileSync(join(ROOT, `arangodb-${version}`, file)).toString('latin1');
  const exchanges: Exchange[] = [];
  const open = new Map<string, string>();
  for (const [, kind = '', connection = '', text = ''] of bytes.matchAll(
    /^=== (>>> request |<<< response) +conn (\d+) .*===\n([\s\S]*?)(?=\n=== |$(?![\s\S]))/gm,
  )) {
    if (kind.startsWith('>>>')) {
      open.set(connection, (open.get(connection) ?? '') + text);
      continue;
    }
    const request = open.get(connection);
    if (request === undefined) continue;
    open.delete(connection);
    exchanges.push(exchangeOf('leader', utf8(request), utf8(text)));
  }
  return exchanges;
}

/** Text of a file among the recordings. */
export function readText(version: CapturedVersion, file: string): string {
  return readFileSync(join(ROOT, `arangodb-${version}`, file), 'utf8');
}

function utf8(bytes: string): string {
  return Buffer.from(bytes, 'latin1').toString('utf8');
}

function readExchanges(text: string): Exchange[] {
  const parts = text.replaceAll('\r\n', '\n').split(/^### REQUEST \(to (\w+)\) ###\n/m);
  const exchanges: Exchange[] = [];
  for (let i = 1; i < parts.length; i += 2) {
    const server = parts[i] === 'follower' ? 'follower' : 'leader';
    const [request = '', response = ''] = (parts[i + 1] ?? '').split(/^### RESPONSE ###\n/m);
    exchanges.push(exchangeOf(server, request, response));
  }
  return exchanges;
}

function exchangeOf(server: Exchange['server'], request: string, response: string): Exchange {
  const asked = readMessage(request);
  const answered = readMessage(response);
  const [method = '', target = ''] = asked.start.split(' ');
  return {
    ...{ server, method, target },
    requestHeaders: Object.fromEntries(asked.headers),
    // A recording ends each body with a newline of its own.
    requestBody: asked.body.replace(/\n$/, ''),
    status: Number(answered.start.split(' ')[1]),
    headers: answered.headers,
    body: answered.body,
  };
}

function readMessage(text: string): { start: string; headers: Map<string, string>; body: string } {
  const message = text.replaceAll('\r\n', '\n');
  const end = message.indexOf('\n\n');
  const head = end < 0 ? message : message.slice(0, end);
  const [start = '', ...lines] = head.trim().split('\n');
  const headers = lines.map((line) => {
    const colon = line.indexOf(':');
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const;
  });
  return { start, headers: new Map(headers), body: end < 0 ? '' : message.slice(end + 2) };
}
