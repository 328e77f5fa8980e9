import { fileURLToPath } from 'node:url';
import { runToEnd } from './child.ts';
import type { Usage } from './usage.ts';

const PROGRAM = fileURLToPath(new URL('../clients/write-client.js', import.meta.url));
/** How many requests are under way at a time. */
export const WRITE_CONNECTIONS = 32;

/** What the client of single writes is to do. */
export interface WriteOrder {
  readonly port: number;
  /** What documents are posted to. */
  readonly path: string;
  readonly connections: number;
  /** Documents written before the clock starts, from number 0 on. */
  readonly warmUp: number;
  /** Documents written while it runs, behind those. */
  readonly writes: number;
  readonly seed: number;
  /** Watched while the clock runs. */
  readonly serverPid: number;
}

/** What it found. Every write was answered 202. */
export interface WriteReport {
  readonly seconds: number;
  readonly server: Usage;
  readonly clientCpuSeconds: number | undefined;
}

/**
 * Writes documents one by one, as fast as they are answered, in a process of its own.
 * @throws Error when any of them is not answered 202
 */
export async function writeSingly(order: WriteOrder): Promise<WriteReport> {
  return (await runProgram('write-client', [PROGRAM, JSON.stringify(order)])) as WriteReport;
}

/**
 * Runs a Node program that prints JSON.
 * @throws Error with its output when it fails
 */
export async function runProgram(name: string, argv: readonly string[]): Promise<unknown> {
  return JSON.parse(await runToEnd({ name, argv }));
}
