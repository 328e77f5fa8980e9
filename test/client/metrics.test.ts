import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { parse } from 'yaml';
import { connect, openServer } from '../../src/index.ts';
import type { Logger, OpenServer } from '../../src/index.ts';
import { checkAnswer } from '../support/api-check.ts';

interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

const SAMPLE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (-?[\d.e+-]+|[+-]Inf|NaN)$/;
const LABEL = /(\w+)="((?:[^"\\]|\\.)*)"/g;

let leader: OpenServer;
let follower: OpenServer;

beforeAll(async () => {
  leader = await openServer({ loggerAutoStart: true });
  follower = await openServer();
  await using client = connect(leader.url);
  const database = client.use('_system');
  const collection = await database.createCollection('boats');
  await collection.insert({ _key: 'argo' });
  await using other = connect(follower.url);
  await other.use('_system').makeFollower({ endpoint: leader.url });
  await collection.insert({ _key: 'bounty' });
  const copy = other.use('_system').collection('boats');
  await vi.waitFor(async () => expect(await copy.count()).toBe(2), { timeout: 10_000 });
});
afterAll(async () => {
  await follower.stop();
  await leader.stop();
});

async function request(
  { url }: OpenServer,
  path: string,
  init: RequestInit = {},
): Promise<{ status: number; text: string; headers: Record<string, string> }> {
  const response = await fetch(url + path, init);
  const headers = Object.fromEntries(response.headers);
  const answer = { status: response.status, headers, text: await response.text() };
  checkAnswer(init.method ?? 'GET', path, answer);
  return answer;
}

/** Everything that a server exports; fails where a line is none of the format. */
async function samplesOf(server: OpenServer): Promise<Sample[]> {
  const { text } = await request(server, '/_admin/metrics/v2');
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return lines.map((line) => {
    const [, name = '', labels = '', value = ''] = SAMPLE.exec(line) ?? [];
    expect(name, line).not.toBe('');
    const pairs = [...labels.matchAll(LABEL)].map(([, key = '', text = '']) => [key, text]);
    return {
      name,
      labels: Object.fromEntries(pairs) as Record<string, string>,
      value: Number(value),
    };
  });
}

function valueOf(samples: readonly Sample[], name: string, labels: object = {}): number {
  const wanted = Object.entries(labels);
  const found = samples.filter(
    (sample) =>
      sample.name === name && wanted.every(([key, value]) => sample.labels[key] === value),
  );
  expect(found, name).toHaveLength(1);
  return found[0]?.value ?? NaN;
}

const SYSTEM = { database: '_system' };

describe('/_admin/metrics', () => {
  test('is text of Prometheus, each family with its help and type, under both paths', async () => {
    const { status, text, headers } = await request(leader, '/_admin/metrics');
    expect(status).toBe(200);
    expect(headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8');
    const families = [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name]) => name);
    const helped = [...text.matchAll(/^# HELP (\S+) \S/gm)].map(([, name]) => name);
    expect(families.length).toBeGreaterThan(50);
    expect(new Set(families).size).toBe(families.length);
    expect(helped).toEqual(families);
    const names = (of: readonly Sample[]): string[] => [...new Set(of.map(({ name }) => name))];
    expect(names(await samplesOf(leader))).toContain('ticklog_info');
  });

  test('of a leader show its log, and where its follower is', async () => {
    await vi.waitFor(async () => {
      const samples = await samplesOf(leader);
      const last = valueOf(samples, 'ticklog_log_last_tick', SYSTEM);
      expect(valueOf(samples, 'ticklog_log_running', SYSTEM)).toBe(1);
      expect(valueOf(samples, 'ticklog_log_events', SYSTEM)).toBe(4);
      expect(valueOf(samples, 'ticklog_log_bytes', SYSTEM)).toBeGreaterThan(100);
      expect(valueOf(samples, 'ticklog_log_first_tick', SYSTEM)).toBeLessThan(last);
      const client = { ...SYSTEM, client: follower.serverId };
      expect(valueOf(samples, 'ticklog_log_client_position_tick', client)).toBe(last);
      expect(valueOf(samples, 'ticklog_log_client_lag_ticks', client)).toBe(0);
      expect(valueOf(samples, 'ticklog_log_client_headroom_ratio', client)).toBe(1);
      expect(valueOf(samples, 'ticklog_log_client_lost', client)).toBe(0);
    }, 20_000);
  });

  test('of a follower show how far it is and what it has cost', async () => {
    await vi.waitFor(async () => {
      const samples = await samplesOf(follower);
      expect(valueOf(samples, 'ticklog_applier_running', SYSTEM)).toBe(1);
      const tailing = { ...SYSTEM, phase: 'tailing' };
      expect(valueOf(samples, 'ticklog_applier_phase', tailing)).toBe(1);
      expect(valueOf(samples, 'ticklog_applier_lag_seconds', SYSTEM)).toBe(0);
      expect(valueOf(samples, 'ticklog_applier_lag_ticks', SYSTEM)).toBe(0);
      expect(valueOf(samples, 'arangodb_replication_tailing_markers_total')).toBe(1);
      expect(valueOf(samples, 'arangodb_replication_tailing_documents_total')).toBe(1);
      expect(valueOf(samples, 'arangodb_replication_tailing_removals_total')).toBe(0);
      expect(valueOf(samples, 'arangodb_replication_initial_sync_bytes_received_total')).toBe(0);
      expect(valueOf(samples, 'arangodb_replication_dump_documents_total')).toBe(1);
      for (const name of ['dump_bytes_received', 'tailing_bytes_received', 'tailing_requests']) {
        expect(valueOf(samples, `arangodb_replication_${name}_total`)).toBeGreaterThan(0);
      }
      expect(valueOf(samples, 'ticklog_applier_page_seconds_count')).toBeGreaterThan(0);
      expect(valueOf(samples, 'ticklog_documents', SYSTEM)).toBe(2);
      expect(valueOf(samples, 'ticklog_store_bytes')).toBeGreaterThan(0);
      expect(valueOf(samples, 'ticklog_store_writes_refused')).toBe(0);
      expect(valueOf(samples, 'ticklog_store_damage_total')).toBe(0);
    }, 20_000);
  });

  test('of a follower that is mended show what the comparison of keys has cost', async () => {
    await using source = await openServer();
    await using other = await openServer();
    await using client = connect(source.url);
    await using copying = connect(other.url);
    const copy = copying.use();
    const ships = await client.use().createCollection('ships');
    await ships.insertMany([{ _key: 'a' }, { _key: 'b' }, { _key: 'c' }]);
    await copy.makeFollower({ endpoint: source.url });
    await ships.remove('b');
    await vi.waitFor(async () => expect(await copy.collection('ships').count()).toBe(2), 10_000);
    await copy.applier.stop();
    await ships.insertMany([{ _key: 'd' }, { _key: 'e' }]);
    const body = JSON.stringify({ endpoint: source.url, incremental: true });
    await request(other, '/_api/replication/sync', { method: 'PUT', body });
    const samples = await samplesOf(other);
    const value = (name: string): number => valueOf(samples, `arangodb_replication_${name}_total`);
    expect(value('tailing_removals')).toBe(1);
    expect(value('initial_sync_keys_requests')).toBe(1);
    expect(value('initial_sync_docs_requests')).toBe(1);
    expect(value('initial_sync_docs_requested')).toBe(2);
    expect(value('initial_sync_bytes_received')).toBeGreaterThan(100);
    for (const what of ['chunks', 'keys', 'docs']) {
      expect(value(`initial_${what}_requests_time`)).toBeGreaterThan(0);
    }
  });

  test('count requests by route, however different their paths are', async () => {
    const before = await samplesOf(leader);
    for (let i = 0; i < 20; i++) await request(leader, `/_api/document/boats/none${i}`);
    // Not spelled plainly, so that it goes another way.
    await request(leader, '/_api/document/boats/%6eone');
    for (const path of ['/no/such/path', '/_api/nothing', '/_api/replication/nothing']) {
      await request(leader, path);
    }
    const samples = await samplesOf(leader);
    const route = '/_api/document/:collection/:key';
    const labels = { method: 'GET', route, status: '404' };
    expect(valueOf(samples, 'ticklog_http_requests_total', labels)).toBe(21);
    const counted = { method: 'GET', route };
    expect(valueOf(samples, 'ticklog_http_request_seconds_count', counted)).toBe(21);
    const buckets = samples.filter(
      ({ name, labels: of }) =>
        name === 'ticklog_http_request_seconds_bucket' && of['route'] === route,
    );
    expect(buckets.at(-1)).toMatchObject({ labels: { le: '+Inf' }, value: 21 });
    const routes = (of: readonly Sample[]): Set<string> =>
      new Set(of.flatMap(({ labels: { route: each } }) => each ?? []));
    expect([...routes(samples)].filter((each) => !routes(before).has(each)).sort()).toEqual([
      '/_api/document/:collection/:key',
      '/_api/replication{/*path}',
      'none',
    ]);
    const follow = { route: '/_api/replication/logger-follow', method: 'GET', status: '200' };
    expect(valueOf(samples, 'ticklog_http_requests_total', follow)).toBeGreaterThan(0);
  });

  test('take the right to read _system, wherever they are asked for', async () => {
    const server = await openServer({ authentication: true, rootPassword: 'root' });
    try {
      const basic = (user: string): RequestInit => ({
        headers: { authorization: `Basic ${Buffer.from(`${user}:${user}`).toString('base64')}` },
      });
      await using client = connect(server.url, { username: 'root', password: 'root' });
      await client.databases.create('harbour');
      const post = (path: string, method: string, body: object): Promise<unknown> =>
        request(server, path, { ...basic('root'), method, body: JSON.stringify(body) });
      for (const [user, database] of [
        ['outsider', 'harbour'],
        ['watcher', '_system'],
      ]) {
        await post('/_api/user', 'POST', { user, passwd: user });
        await post(`/_api/user/${String(user)}/database/${String(database)}`, 'PUT', {
          grant: 'ro',
        });
      }
      const status = async (path: string, init?: RequestInit): Promise<number> =>
        (await request(server, path, init)).status;
      expect(await status('/_admin/metrics/v2')).toBe(401);
      expect(await status('/_db/harbour/_admin/metrics/v2', basic('outsider'))).toBe(403);
      expect(await status('/_admin/metrics/v2', basic('watcher'))).toBe(200);
      expect(await status('/_admin/log/level', basic('watcher'))).toBe(403);
    } finally {
      await server.stop();
    }
  });
});

describe('docs/monitoring', () => {
  const NAME = /\b((?:ticklog|arangodb|process|nodejs)_[a-z0-9_]+)\b/g;

  /** All names of metrics in the expressions of a file. */
  async function namesIn(file: string, expressions: (text: string) => string[]): Promise<string[]> {
    const url = new URL(`../../docs/monitoring/${file}`, import.meta.url);
    const found = expressions(await readFile(url, 'utf8'));
    expect(found.length).toBeGreaterThan(5);
    return [...new Set(found.flatMap((text) => text.match(NAME) ?? []))];
  }

  /** Of both servers, and of one that is copying: each has families that the other has nothing in. */
  async function exported(): Promise<Set<string>> {
    const both = await Promise.all([leader, follower].map((each) => samplesOf(each)));
    const { text } = await request(follower, '/_admin/metrics/v2');
    const declared = [...text.matchAll(/^# TYPE (ticklog_sync_\S+)/gm)].map(([, name]) => name);
    return new Set([...both.flat().map(({ name }) => name), ...declared.map(String)]);
  }

  test('the alert rules use names that a server exports', async () => {
    const names = await namesIn('alerts.yml', (text) => {
      const { groups } = parse(text) as { groups: { rules: { alert: string; expr: string }[] }[] };
      return groups.flatMap(({ rules }) => rules.map(({ expr }) => expr));
    });
    const known = await exported();
    expect(names.length).toBeGreaterThan(8);
    expect(names.filter((name) => !known.has(name))).toEqual([]);
  });

  test('so does the dashboard', async () => {
    const names = await namesIn('grafana-dashboard.json', (text) => {
      const { panels } = JSON.parse(text) as { panels: { targets: { expr: string }[] }[] };
      return panels.flatMap(({ targets }) => targets.map(({ expr }) => expr));
    });
    const known = await exported();
    expect(names.length).toBeGreaterThan(20);
    expect(names.filter((name) => !known.has(name))).toEqual([]);
  });
});

describe('/_admin/log/level', () => {
  const put = (server: OpenServer, body: object) =>
    request(server, '/_admin/log/level', { method: 'PUT', body: JSON.stringify(body) });

  test('changes what is written, at once, by topics', async () => {
    const lines: string[] = [];
    const write = (_obj: object, msg: string): void => void lines.push(msg);
    const logger: Logger = {
      ...{ debug: write, info: write, warn: write, error: write },
      child: () => logger,
    };
    const server = await openServer({ logger });
    const stop = async (): Promise<void> => {
      await request(server, '/_api/replication/applier-stop', { method: 'PUT' });
    };
    const start = async (): Promise<number> => {
      lines.length = 0;
      await request(server, '/_api/replication/applier-start', { method: 'PUT' });
      await stop();
      return lines.filter((line) => line === 'applier started').length;
    };
    try {
      const config = { method: 'PUT', body: '{"endpoint":"tcp://127.0.0.1:9"}' };
      await request(server, '/_api/replication/applier-config', config);
      expect(await start()).toBe(1);
      const answer = await put(server, { replication: 'warning' });
      expect(JSON.parse(answer.text)).toEqual({ general: 'DEBUG', replication: 'WARNING' });
      expect(await start()).toBe(0);
      expect(JSON.parse((await put(server, { all: 'error', general: 'FATAL' })).text)).toEqual({
        ...{ general: 'FATAL', replication: 'ERROR' },
      });
      const shown = await request(server, '/_admin/log/level');
      expect(JSON.parse(shown.text)).toEqual({ general: 'FATAL', replication: 'ERROR' });
    } finally {
      await server.stop();
    }
  });

  test('is that of the options at first: a server inside a program writes nothing', async () => {
    const shown = await request(leader, '/_admin/log/level');
    expect(JSON.parse(shown.text)).toEqual({ general: 'FATAL', replication: 'FATAL' });
  });

  test.each([
    ['a topic', { engines: 'INFO' }],
    ['a level', { general: 'INFO', replication: 'loud' }],
    ['a level that is no text', { general: 5 }],
  ])('changes nothing for %s that there is not', async (_what, body) => {
    const before = (await request(leader, '/_admin/log/level')).text;
    expect((await put(leader, body)).status).toBe(400);
    expect((await request(leader, '/_admin/log/level')).text).toBe(before);
  });
});

describe('x-request-id', () => {
  test.each(['/_api/document/boats/argo', '/_api/version', '/no/such/path'])(
    'is answered back on %s as it was sent, unless it is none',
    async (path) => {
      const send = async (id: string): Promise<string | undefined> =>
        (await request(leader, path, { headers: { 'x-request-id': id } })).headers['x-request-id'];
      expect(await send('abc-1:2.3')).toBe('abc-1:2.3');
      expect(await send('a b')).toBeUndefined();
      expect(await send('x'.repeat(129))).toBeUndefined();
    },
  );
});
