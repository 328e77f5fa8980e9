import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import process from 'node:process';
import type { ChildReport } from './crash-child.ts';
import { CONTROL_VARIABLE } from './kill-points.ts';

/** How a child came to its end. */
export interface KilledChild {
  /** Everything it said before. */
  readonly reports: readonly ChildReport[];
  /** Whether it was killed from here, and not by itself at a point of its own. */
  readonly killedFromHere: boolean;
}

/**
 * Runs the compiled crash child and kills it with SIGKILL.
 * @param options.afterMs time from its report that it is ready
 * @param options.afterReports kill it at this many reports instead
 * @param options.killPointFile says where it is to kill itself; see kill-points.ts
 * @param options.onReport waited for, while the child goes on; gets how many there are
 */
export async function runAndKill(
  program: string,
  args: readonly string[],
  options: {
    afterMs?: number;
    afterReports?: number;
    onReport?: (count: number) => Promise<void>;
    killPointFile?: string;
  },
): Promise<KilledChild> {
  const child = spawn(process.execPath, [program, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...process.env,
      ...(options.killPointFile === undefined ? {} : { [CONTROL_VARIABLE]: options.killPointFile }),
    },
  });
  const reports: ChildReport[] = [];
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text));
  const exited = new Promise<NodeJS.Signals | null>((resolve) =>
    child.once('exit', (_code, signal) => resolve(signal)),
  );
  let timer: NodeJS.Timeout | undefined;
  let killedFromHere = false;
  const kill = (): void => {
    // False when it is dead already.
    killedFromHere = child.kill('SIGKILL');
  };
  for await (const line of createInterface({ input: child.stdout })) {
    // The last line may be cut off by the kill.
    if (!line.endsWith('}')) continue;
    const report = JSON.parse(line) as ChildReport;
    reports.push(report);
    if (report.kind === 'ready' && options.afterMs !== undefined) {
      timer = setTimeout(kill, options.afterMs);
    }
    if (reports.length === options.afterReports) kill();
    await options.onReport?.(reports.length);
  }
  const signal = await exited;
  clearTimeout(timer);
  if (signal !== 'SIGKILL') throw new Error(`the child ended by itself: ${errors}`);
  return { reports, killedFromHere };
}
