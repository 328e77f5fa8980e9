/*
 * The client of single writes: keeps one request under way on each of several connections. The same
 * for the product and for the limit, in a process of its own, with all requests made before it begins.
 * Argument: WriteOrder as JSON. Prints WriteReport as JSON.
 */
import { DocumentSource } from '../support/documents.ts';

import { UsageMeter, cpuSeconds } from '../support/usage.ts';
import type { WriteOrder, WriteReport } from '../support/write-client.ts';
import { RawHttp } from './raw-http.ts';

const [, , argument = ''] = process.argv;
const order = JSON.parse(argument) as WriteOrder;
const { warmUp, writes } = order;
const requests = prepareRequests(warmUp + writes);
let next = 0;
let end = 0;
let answered = 0;
let onDone: () => void = () => undefined;
let onBroken: (error: Error) => void = () => undefined;

const connections = await Promise.all(
  Array.from({ length: order.connections }, async () => {
    const connection: RawHttp = await RawHttp.open(
      order.port,
      (status) => {
        if (status !== 202) onBroken(new Error(`a write was answered ${status}, not 202`));
        answered++;
        if (next < end) connection.send(request(next++));
        else if (answered === end) onDone();
      },
      (error) => onBroken(error),
    );
    return connection;
  }),
);
await writeUpTo(warmUp);
const meter = new UsageMeter(order.serverPid);
const cpuBefore = cpuSeconds(process.pid);
const startedAt = performance.now();
await writeUpTo(warmUp + writes);
const seconds = (performance.now() - startedAt) / 1000;
meter.end();
const cpuAfter = cpuSeconds(process.pid);
const report: WriteReport = {
  seconds,
  server: meter.usage,
  clientCpuSeconds:
    cpuAfter === undefined || cpuBefore === undefined ? undefined : cpuAfter - cpuBefore,
};
for (const connection of connections) connection.end();
console.log(JSON.stringify(report));

function writeUpTo(count: number): Promise<void> {
  end = count;
  if (next >= end) return Promise.resolve();
  return new Promise((resolve, reject) => {
    onDone = resolve;
    onBroken = reject;
    for (const connection of connections) {
      if (next < end) connection.send(request(next++));
    }
  });
}

/** All of one length, one behind the other. */
function prepareRequests(count: number): { bytes: Buffer; each: number } {
  const source = new DocumentSource({ seed: order.seed });
  const head = `POST ${order.path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: `;
  const make = (number: number): string => {
    const text = source.text(number);
    return `${head}${text.length}\r\n\r\n${text}`;
  };
  const each = make(0).length;
  const bytes = Buffer.allocUnsafe(count * each);
  for (let number = 0; number < count; number++) {
    if (bytes.write(make(number), number * each, 'latin1') !== each)
      throw new Error('not of one length');
  }
  return { bytes, each };
}

function request(number: number): Buffer {
  const { bytes, each } = requests;
  return bytes.subarray(number * each, (number + 1) * each);
}
