import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { type TestServer, openTestServer } from '../support/http-server.ts';

/*
 * Repeats what was done to a real 1.4.3 server, operation by operation, and compares the answers: each
 * header and each member of a body that the real server sent must be here too, with the same value
 * but for ids and revisions, of which only the places where they recur are compared. More members
 * than the real server sent are fine.
 */

const EVENTS = fileURLToPath(
  new URL('../../../shared/captures/arangodb-1.4.3/events/', import.meta.url),
);
const FOUND = existsSync(EVENTS);
// The captures are no part of the project; say so instead of passing without them.
if (!FOUND) console.warn('skipped: the captures of real servers are not at hand');

/** Operations of interfaces that this server does not have, and an update that a bug made fail. */
const NOT_HERE = /^(50|51|52|53|54|57|58|62|63|64|42)-/;

/** Where this server answers differently, with which status, and why. */
const DIFFERENT: Readonly<Record<string, { readonly status: number; readonly why: string }>> = {
  '21-document-insert-autokey-waitForSync.http': {
    status: 201,
    why: 'a generated key is a tick of its own, not that of the revision (contract 9.3 allows both)',
  },
  '23-document-insert-exponent-without-fraction.http': {
    status: 201,
    why: 'contract 0: 1e10 is valid JSON',
  },
};

/** Headers that an answer must have when the real server sent them. */
const HEADERS = ['location', 'etag', 'content-type', 'server'];

interface Exchange {
  readonly name: string;
  readonly method: string;
  readonly path: string;
  readonly body: string;
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly answer: Record<string, unknown>;
}

/** The first request of a capture and its answer. */
function readExchange(name: string): Exchange {
  const text = readFileSync(join(EVENTS, name), 'utf8').replaceAll('\r\n', '\n');
  const [, request = '', answer = ''] = text.split(/^### .* ###\n/m);
  const [requestHead = '', ...requestBody] = request.split('\n\n');
  const [method = '', path = ''] = requestHead.trim().split(' ');
  const [answerHead = '', answerBody = ''] = answer.split('\n\n');
  const [statusLine = '', ...headerLines] = answerHead.split('\n');
  const headers = headerLines.map((line) => {
    const colon = line.indexOf(':');
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const;
  });
  return {
    // The recording ends each body with a newline of its own.
    ...{ name, method, path, body: requestBody.join('\n\n').replace(/\n$/, '') },
    status: Number(statusLine.split(' ')[1]),
    headers: new Map(headers),
    answer: JSON.parse(answerBody) as Record<string, unknown>,
  };
}

/** Ids and revisions of the real server and what stands for them here. */
class Translation {
  readonly #ours = new Map<string, string>();

  /** Replaces what is known; the rest stays. */
  toOurs(text: string): string {
    return text.replace(/[0-9]{7,}/g, (id) => this.#ours.get(id) ?? id);
  }

  /** Checks that `actual` has everything `expected` has, learning ids on the way. */
  compare(expected: unknown, actual: unknown, where: string): void {
    if (typeof expected === 'string' && typeof actual === 'string') {
      this.#learn(expected, actual);
      expect(actual, where).toBe(this.toOurs(expected));
    } else if (Array.isArray(expected)) {
      expect(actual, where).toHaveLength(expected.length);
      expected.forEach((each, i) => {
        this.compare(each, (actual as unknown[])[i], `${where}[${i}]`);
      });
    } else if (typeof expected === 'object' && expected !== null) {
      for (const [key, value] of Object.entries(expected)) {
        const own = (actual as Record<string, unknown> | undefined)?.[key];
        this.compare(value, own, `${where}.${key}`);
      }
    } else {
      expect(actual, where).toEqual(expected);
    }
  }

  #learn(expected: string, actual: string): void {
    const theirs = expected.match(/[0-9]{7,}/g) ?? [];
    const ours = actual.match(/[0-9]{7,}/g) ?? [];
    theirs.forEach((id, i) => {
      const own = ours[i];
      if (own !== undefined && !this.#ours.has(id)) this.#ours.set(id, own);
    });
  }
}

async function replay(server: TestServer, exchange: Exchange, ids: Translation): Promise<void> {
  const { name, method, body } = exchange;
  const answer = await server.request(method, ids.toOurs(exchange.path), {
    ...(body.trim() === '' ? {} : { body }),
  });
  const different = DIFFERENT[name];
  if (different) {
    expect(answer.status, `${name}: ${different.why}`).toBe(different.status);
    return;
  }
  expect(answer.status, name).toBe(exchange.status);
  // Messages are for people; ours may say more.
  const expected = Object.entries(exchange.answer).filter(([key]) => key !== 'errorMessage');
  ids.compare(Object.fromEntries(expected), answer.json, name);
  for (const header of HEADERS) {
    const sent = exchange.headers.get(header);
    if (sent !== undefined) ids.compare(sent, answer.headers[header], `${name} ${header}`);
  }
}

describe.skipIf(!FOUND)('a real 1.4.3 server', () => {
  test('answers each operation on databases, collections, indexes and documents as this one', async () => {
    await using server = await openTestServer();
    const ids = new Translation();
    const names = readdirSync(EVENTS).filter((name) => !NOT_HERE.test(name));
    let compared = 0;
    for (const name of names.sort()) {
      const exchange = readExchange(name);
      if (exchange.path.startsWith('/_api/replication/')) continue;
      await replay(server, exchange, ids);
      compared++;
    }
    expect(compared).toBeGreaterThan(50);
  });
});
