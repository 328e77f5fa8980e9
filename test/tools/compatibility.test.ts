import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { connect, openServer } from '../../src/index.ts';
import { checkAnswer } from '../support/api-check.ts';
import { findOperation } from '../support/api-document.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

interface Row {
  readonly what: string;
  /** Such as `GET /_api/view/{}`. */
  readonly requests: readonly string[];
  readonly here: string;
}

/** The table of docs/COMPATIBILITY.md, its shortened requests spelled out. */
async function readTable(): Promise<Row[]> {
  const text = await readFile(join(ROOT, 'docs/COMPATIBILITY.md'), 'utf8');
  return [...text.matchAll(/^\| ([^|]+?) +\| (`[^|]+?) +\| ([^|]+?) +\|$/gm)].map((match) => {
    const [, what = '', cell = '', here = ''] = match;
    const requests = [...cell.matchAll(/`([A-Z ]+) (\/[^` ]+)`/g)].flatMap(
      ([, methods = '', path = '']) => methods.split(' ').map((method) => `${method} ${path}`),
    );
    return { what, requests, here };
  });
}

/** Every request that the source of the driver has, with `{}` for what it puts into paths. */
async function requestsOfDriver(): Promise<Set<string>> {
  const directory = join(ROOT, 'node_modules/arangojs/esm');
  const found = new Set<string>();
  for (const name of (await readdir(directory)).filter((each) => each.endsWith('.js'))) {
    const source = await readFile(join(directory, name), 'utf8');
    for (const match of source.matchAll(/path(?:name)?: ([`"])(\/_(?:api|admin|open)[^`"]*)\1/g)) {
      const [, , path = ''] = match;
      const start = source.lastIndexOf('{', match.index);
      const block = source.slice(start, source.indexOf('}', match.index + match[0].length));
      const method = /method: "(\w+)"/.exec(block)?.[1] ?? 'GET';
      const shown = path.replace('${suffix}', '').replace(/\$\{(?:[^{}]|\{[^}]*\})*\}/g, '{}');
      found.add(`${method} ${shown}`);
    }
  }
  return found;
}

const table = await readTable();
const isOffered = ({ here }: Row): boolean => here.startsWith('yes');

test('the table says of each row whether it is there, and has no request twice', () => {
  expect(table.length).toBeGreaterThan(30);
  for (const { what, here } of table) expect(here, what).toMatch(/^(?:yes\b|501$)/);
  const requests = table.flatMap((row) => row.requests);
  expect(new Set(requests).size).toBe(requests.length);
});

test('the table has every request that is in the source of arangojs', async () => {
  const listed = new Set(table.flatMap(({ requests }) => requests));
  const sent = await requestsOfDriver();
  expect(sent.size).toBeGreaterThan(120);
  // A handle is a collection and a key behind one placeholder there.
  const isListed = (request: string): boolean =>
    listed.has(request) || listed.has(request.replace(/\{\}$/, '{}/{}'));
  expect([...sent].filter((request) => !isListed(request))).toEqual([]);
});

test.each(table.filter(isOffered))(
  '$what: is in the description of the interface',
  ({ requests }) => {
    for (const request of requests) {
      const [method = '', path = ''] = request.split(' ');
      expect(findOperation(method, path.replaceAll('{}', 'x')), request).toBeDefined();
    }
  },
);

test('what is not there is answered 501/9, and says what it is and what to use', async () => {
  const server = await openServer();
  onTestFinished(() => server.stop());
  await using client = connect(server.url);
  await client.use().createCollection('x');
  for (const { what, requests } of table.filter((row) => !isOffered(row))) {
    for (const request of requests) {
      const [method = '', template = ''] = request.split(' ');
      const path = template.replaceAll('{}', 'x');
      const hasBody = method !== 'GET' && method !== 'HEAD';
      const answer = await fetch(server.url + path, { method, ...(hasBody ? { body: '{}' } : {}) });
      const text = await answer.text();
      expect(answer.status, `${what}: ${request}`).toBe(501);
      const headers = Object.fromEntries(answer.headers);
      checkAnswer(method, path, { status: 501, headers, text });
      if (method === 'HEAD') continue;
      const { errorNum, errorMessage } = JSON.parse(text) as Record<string, unknown>;
      expect(errorNum, request).toBe(9);
      expect(errorMessage, request).toMatch(/ not (?:offered|run) here[;:] \S+/);
    }
  }
});

test('the README leads to it', async () => {
  expect(await readFile(join(ROOT, 'README.md'), 'utf8')).toContain('](docs/COMPATIBILITY.md)');
});
