/*
 * Many readers of one log, in one process: each asks for the next page as soon as it has one, as a
 * follower does, while single documents are written at an even rate.
 * Argument: TailOrder as JSON. Prints TailReport as JSON.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { TailOrder, TailReport } from '../growth/many-followers.ts';
import { DocumentSource } from '../support/documents.ts';
import { cpuSeconds } from '../support/usage.ts';
import { RawHttp } from './raw-http.ts';
import { TicklogDocuments } from './ticklog-documents.ts';

const HELD_SECONDS = 10;
const CHUNK_BYTES = 256 * 1024;
const NEWLINE = 0x0a;
const LAST_INCLUDED = /\r\nx-arango-replication-lastincluded: *(\d+)/i;
const HEAD_END = Buffer.from('\r\n\r\n');
const END_TIMEOUT_MS = 30_000;

const [, , argument = ''] = process.argv;
const order = JSON.parse(argument) as TailOrder;
let pages = 0;
let lines = 0;
let broken: Error | undefined;

const tails = await Promise.all(Array.from({ length: order.tails }, (_, i) => openTail(i)));
const writer = await TicklogDocuments.open(order.port);
const cpuBefore = cpuSeconds(order.serverPid) ?? 0;
await write();
const expected = order.writes * order.tails;
const deadline = performance.now() + END_TIMEOUT_MS;
while (lines < expected && performance.now() < deadline && !broken) await sleep(1);
const cpu = (cpuSeconds(order.serverPid) ?? 0) - cpuBefore;
writer.end();
for (const tail of tails) tail.end();
if (broken) throw broken;
if (lines !== expected) throw new Error(`${lines} lines came, not ${expected}`);
const report: TailReport = { pages, leaderCpuSeconds: cpu };
console.log(JSON.stringify(report));

async function openTail(number: number): Promise<RawHttp> {
  let from = order.from;
  const request = (): Buffer => {
    const query = `from=${from}&chunkSize=${CHUNK_BYTES}&wait=${HELD_SECONDS}&serverId=${7000 + number}`;
    const path = `/_api/replication/logger-follow?${query}`;
    return Buffer.from(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`);
  };
  const tail: RawHttp = await RawHttp.open(
    order.port,
    (status, bytes, at, end) => {
      const headEnd = bytes.indexOf(HEAD_END, at);
      const [, tick] = LAST_INCLUDED.exec(bytes.toString('latin1', at, headEnd)) ?? [];
      if (tick === undefined || status > 299) broken ??= new Error(`a page was answered ${status}`);
      // At the end of the log that is 0.
      else if (tick !== '0') from = tick;
      if (status === 200) pages++;
      let newline = bytes.indexOf(NEWLINE, headEnd + HEAD_END.length);
      for (; newline >= 0 && newline < end; newline = bytes.indexOf(NEWLINE, newline + 1)) lines++;
      if (!broken) tail.send(request());
    },
    (error) => {
      broken ??= error;
    },
  );
  tail.send(request());
  return tail;
}

async function write(): Promise<void> {
  const source = new DocumentSource({ seed: order.seed });
  const gapMs = 1000 / order.writesPerSecond;
  const beganAt = performance.now();
  const underWay: Promise<void>[] = [];
  for (let i = 0; i < order.writes; i++) {
    for (let leftMs; (leftMs = beganAt + i * gapMs - performance.now()) > 0;) await sleep(leftMs);
    const number = order.firstNumber + i;
    underWay.push(writer.insert(source.key(number), source.text(number)));
  }
  await Promise.all(underWay);
}
