import { Readable } from 'node:stream';
import { Pool } from 'undici';
import { afterAll, expect } from 'vitest';
import { checkAnswer } from './api-check.ts';

/*
 * Imported by a test of the client library, this has every answer that the library gets from a server of
 * ours looked up in api-spec/openapi.yaml: what is not as that says fails the request, and so the test.
 */

type Request = typeof Pool.prototype.request;

let checked = 0;

// eslint-disable-next-line @typescript-eslint/unbound-method -- it is called with a Pool as its `this`
const original = Pool.prototype.request;

Object.defineProperty(Pool.prototype, 'request', {
  async value(this: Pool, options: Parameters<Request>[0]) {
    const response = await original.call(this, options);
    const { statusCode: status, headers } = response;
    // Servers that are scripted may answer anything.
    if (headers['server'] !== 'ArangoDB') return response;
    const bytes = Buffer.from(await response.body.arrayBuffer());
    checkAnswer(options.method, options.path, { status, headers, text: bytes.toString('utf8') });
    checked++;
    return { ...response, body: Readable.from(bytes.length === 0 ? [] : [bytes]) };
  },
});

afterAll(() => {
  expect(checked, 'answers that were looked up').toBeGreaterThan(0);
});
