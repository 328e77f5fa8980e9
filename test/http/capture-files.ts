import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/*
 * Reading recordings of real servers. They are no part of the project: `captures` says so out loud where they
 * are not at hand, and the tests that need them are skipped.
 */

const CAPTURES = fileURLToPath(new URL('../../../shared/captures/', import.meta.url));

/** One recorded request and the answer of the real server. */
export interface Exchange {
  /** Path of the recording. */
  readonly name: string;
  readonly method: string;
  readonly path: string;
  readonly body: string;
  readonly status: number;
  readonly answer: Readonly<Record<string, unknown>>;
}

/** The directory of a real server's recordings; undefined when there is none. */
export function captures(version: 'arangodb-1.4.3' | 'arangodb-3.0.3'): string | undefined {
  const directory = join(CAPTURES, version);
  if (existsSync(directory)) return directory;
  console.warn(`skipped: the captures of ${version} are not at hand`);
  return undefined;
}

/** The recordings of one kind, such as `restore`, in the order in which they were made. */
export function recorded(directory: string, kind: string): Exchange[] {
  const index = readFileSync(join(directory, 'INDEX.md'), 'utf8');
  const names = [...index.matchAll(/^\| (\S+\.http) \|/gm)].map(([, name = '']) => name);
  return names
    .filter((name) => name.startsWith(`${kind}/`))
    .map((name) => parseExchange(name, readFileSync(join(directory, name), 'utf8')));
}

function parseExchange(name: string, text: string): Exchange {
  const [, request = '', answer = ''] = text.replaceAll('\r\n', '\n').split(/^### .* ###\n/m);
  const [head = '', ...body] = request.split('\n\n');
  const [method = '', path = ''] = head.trim().split(' ');
  const [answerHead = '', answerBody = ''] = answer.split('\n\n');
  return {
    // The recording ends each body with a newline of its own.
    ...{ name, method, path, body: body.join('\n\n').replace(/\n$/, '') },
    status: Number(answerHead.split(' ')[1]),
    answer: JSON.parse(answerBody) as Record<string, unknown>,
  };
}

/** The requests and the answers of raw traffic over one connection, bodies included. */
export function rawExchanges(file: string): Exchange[] {
  const bytes = readFileSync(file).toString('latin1');
  const messages = bytes.split(/^=== (?:>>> request|<<< response) .* ===\n/m).slice(1);
  const exchanges: Exchange[] = [];
  for (let i = 0; i + 1 < messages.length; i += 2) {
    const request = parseMessage(messages[i] ?? '');
    const answer = parseMessage(messages[i + 1] ?? '');
    const [method = '', path = ''] = request.start.split(' ');
    exchanges.push({
      ...{ name: `${file} ${i / 2}`, method, path, body: request.body },
      status: Number(answer.start.split(' ')[1]),
      answer: answer.body === '' ? {} : (JSON.parse(answer.body) as Record<string, unknown>),
    });
  }
  return exchanges;
}

function parseMessage(message: string): { start: string; body: string } {
  const [head = '', ...rest] = message.split('\r\n\r\n');
  const length = Number(/^content-length: (\d+)/im.exec(head)?.[1] ?? 0);
  const body = Buffer.from(rest.join('\r\n\r\n').slice(0, length), 'latin1').toString('utf8');
  return { start: head.split('\r\n')[0] ?? '', body };
}
