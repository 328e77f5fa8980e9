import { readdirSync } from 'node:fs';
import process from 'node:process';
import { collectGarbage } from '../../src/base/collect-garbage.ts';
import type { Logger } from '../../src/base/logger.ts';
import { readConfig } from '../../src/config/server-config.ts';
import { type RunningServer, startServer } from '../../src/server.ts';

/*
 * A whole server in a process of its own, which tells by messages what a server does not say over HTTP. Its flags are
 * its one argument, as JSON. It is started by `ChildServer`.
 */

/** What the process holds, in bytes and in number. */
export interface ProcessFigures {
  /** Of objects, after everything unreachable has been freed. */
  readonly heapBytes: number;
  /** Of buffers. */
  readonly bufferBytes: number;
  readonly rssBytes: number;
  readonly descriptors: number;
}

/** What it says. */
export type ChildMessage =
  | { readonly kind: 'listening'; readonly port: number }
  | { readonly kind: 'figures'; readonly figures: ProcessFigures }
  | { readonly kind: 'stopped'; readonly tookMs: number }
  | { readonly kind: 'logged'; readonly level: 'warn' | 'error'; readonly text: string };

/** What it is told. */
export type ChildOrder = 'figures' | 'stop';

const SETTLE_MS = 50;

function say(message: ChildMessage): void {
  process.send?.(message);
}

const logger: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: (context, text) => say({ kind: 'logged', level: 'warn', text: shown(context, text) }),
  error: (context, text) => say({ kind: 'logged', level: 'error', text: shown(context, text) }),
  child: () => logger,
};

function shown(context: object, text: string): string {
  const { err, ...rest } = context as { err?: unknown };
  return `${text} ${JSON.stringify(rest)} ${stackOf(err)}`;
}

function stackOf(error: unknown): string {
  if (!(error instanceof Error)) return error === undefined ? '' : JSON.stringify(error);
  const cause = error.cause === undefined ? '' : `\ncaused by ${stackOf(error.cause)}`;
  return `${error.stack ?? error.message}${cause}`;
}

async function figures(): Promise<ProcessFigures> {
  // What was just let go by its last user is still held by callbacks that are about to run.
  for (let i = 0; i < 3; i++) {
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
    collectGarbage();
  }
  const { heapUsed, arrayBuffers, rss } = process.memoryUsage();
  return {
    heapBytes: heapUsed,
    bufferBytes: arrayBuffers,
    rssBytes: rss,
    descriptors: readdirSync('/proc/self/fd').length,
  };
}

async function obey(order: ChildOrder, server: RunningServer): Promise<void> {
  if (order === 'figures') {
    say({ kind: 'figures', figures: await figures() });
    return;
  }
  const beganMs = performance.now();
  await server.stop();
  say({ kind: 'stopped', tookMs: performance.now() - beganMs });
  process.disconnect();
}

const flags = JSON.parse(process.argv[2] ?? '{}') as Record<string, string>;
const running = await startServer({ logger }, readConfig({ flags, env: {}, readFile: () => '' }));
process.on('message', (order: ChildOrder) => void obey(order, running));
say({ kind: 'listening', port: running.endpoint.port });
