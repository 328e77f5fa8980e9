/*
 * The client of the lag: writes single documents to the leader at an even rate, and of some of them asks the
 * follower until it has them. Both in one process, which has one clock.
 * Argument: LagOrder as JSON. Prints LagReport as JSON.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { DocumentSource } from '../support/documents.ts';
import type { LagOrder, LagReport } from '../support/lag.ts';
import type { LagFigures } from '../support/measure.ts';
import { percentile } from '../support/table.ts';
import { cpuSeconds } from '../support/usage.ts';
import type { DocumentConnection } from './document-connection.ts';
import { PostgresDocuments } from './postgres-documents.ts';
import { RedisDocuments } from './redis-documents.ts';
import { TicklogDocuments } from './ticklog-documents.ts';

/** A write that has not been answered in time must not hold up those behind it. */
const WRITERS = 8;
/** One of so many writes is watched: asking for more of them would be a load of its own. */
const WATCH_EVERY = 7;
const GIVE_UP_MS = 10_000;

interface Sample {
  readonly fromSentMs: number;
  readonly fromAnswerMs: number;
}

const [, , argument = ''] = process.argv;
const order = JSON.parse(argument) as LagOrder;
const source = new DocumentSource({ seed: order.seed });
const writers = await Promise.all(Array.from({ length: WRITERS }, () => open(order.leaderPort)));
const reader = await open(order.followerPort);

await run(order.firstNumber, order.warmUp);
const cpuBefore = cpuSeconds(process.pid) ?? 0;
const startedAt = performance.now();
const samples = await run(order.firstNumber + order.warmUp, order.writes);
const report: LagReport = {
  seconds: (performance.now() - startedAt) / 1000,
  clientCpuSeconds: (cpuSeconds(process.pid) ?? 0) - cpuBefore,
  lag: figuresOf(samples),
};
for (const connection of [...writers, reader]) connection.end();
console.log(JSON.stringify(report));

function open(port: number): Promise<DocumentConnection> {
  if (order.system === 'PostgreSQL') return PostgresDocuments.open(port);
  if (order.system === 'Redis') return RedisDocuments.open(port);
  return TicklogDocuments.open(port);
}

/** Writes `count` documents on time, whether or not those before are answered. */
async function run(first: number, count: number): Promise<readonly Sample[]> {
  const gapMs = 1000 / order.writesPerSecond;
  const beganAt = performance.now();
  const found: Sample[] = [];
  const underWay: Promise<void>[] = [];
  for (let i = 0; i < count; i++) {
    for (let leftMs; (leftMs = beganAt + i * gapMs - performance.now()) > 0;) await sleep(leftMs);
    const writer = writers[i % writers.length];
    if (!writer) throw new Error('there are no writers');
    const watched = i % WATCH_EVERY === 0 ? found : undefined;
    underWay.push(write(writer, first + i, watched));
  }
  await Promise.all(underWay);
  return found;
}

async function write(
  writer: DocumentConnection,
  number: number,
  samples: Sample[] | undefined,
): Promise<void> {
  const key = source.key(number);
  const text = source.text(number);
  const sentAt = performance.now();
  await writer.insert(key, text);
  if (samples === undefined) return;
  const answeredAt = performance.now();
  while (!(await reader.has(key))) {
    if (performance.now() - answeredAt < GIVE_UP_MS) continue;
    throw new Error(`the follower has no ${key} after ${GIVE_UP_MS} ms`);
  }
  const readAt = performance.now();
  samples.push({ fromSentMs: readAt - sentAt, fromAnswerMs: readAt - answeredAt });
}

function figuresOf(all: readonly Sample[]): LagFigures {
  const fromSent = all.map(({ fromSentMs }) => fromSentMs);
  const fromAnswer = all.map(({ fromAnswerMs }) => fromAnswerMs);
  return {
    samples: all.length,
    p50Ms: percentile(fromSent, 50),
    p99Ms: percentile(fromSent, 99),
    maxMs: percentile(fromSent, 100),
    p50FromAnswerMs: percentile(fromAnswer, 50),
    p99FromAnswerMs: percentile(fromAnswer, 99),
  };
}
