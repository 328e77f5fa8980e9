import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Child } from '../../bench/support/child.ts';
import { DocumentSource } from '../../bench/support/documents.ts';
import { PRODUCT_PROGRAM } from '../../bench/support/project.ts';
import { ServerApi } from '../../bench/support/server-api.ts';
import { ServerProcess } from '../../bench/support/server-process.ts';
import { UsageMeter } from '../../bench/support/usage.ts';
import { dumpedContents } from '../support/dump-files.ts';
import { Random } from '../support/random.ts';
import { makeTempDir } from '../support/temp-dir.ts';

/** The long form: npm run test:fault. */
const IS_LONG = process.env['TICKLOG_LONG'] === '1';
const SEED = Number(process.env['TICKLOG_SEED'] ?? Date.now() % 1_000_000);
const SIZES = IS_LONG
  ? { documents: 40_000, kills: 12, large: 1_000_000 }
  : { documents: 8000, kills: 3, large: 60_000 };
const TIMEOUT_MS = IS_LONG ? 20 * 60_000 : 180_000;
const MIB = 1024 * 1024;
const RSS_ANON_MAX_BYTES = 512 * MIB;
const COLLECTIONS = ['a', 'b', 'c'];
const POLL_MS = 5;

/** A verb of the built program in a process of its own. */
function tool(verb: 'dump' | 'restore', server: ServerProcess, ...flags: readonly string[]): Child {
  const argv = [PRODUCT_PROGRAM, verb, '--server.endpoint', server.endpoint, ...flags];
  return new Child({ name: verb, argv });
}

async function good(child: Child): Promise<void> {
  const { code } = await child.ended;
  expect(code, `${child.name}: ${child.output}`).toBe(0);
}

async function fill(server: ServerProcess, name: string, documents: number): Promise<void> {
  const source = new DocumentSource({ seed: SEED });
  await using api = new ServerApi({ url: server.url });
  await api.createCollection(name);
  await api.import(name, source.chunks(0, documents), documents);
}

/** Waits until the program has said that it began with a collection, then for a part of a second. */
async function underWay(child: Child, word: string, random: Random): Promise<void> {
  while (child.isRunning && !child.output.includes(word)) {
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  await new Promise((resolve) => setTimeout(resolve, random.below(300)));
}

describe(`backups of and to servers of their own (seed ${SEED})`, () => {
  test(
    'a restore whose tool or server was killed can be repeated, a dump, too',
    { timeout: TIMEOUT_MS },
    async () => {
      await using dir = await makeTempDir();
      const random = new Random(SEED);
      await using source = await ServerProcess.start({
        name: 'source',
        directory: join(dir.path, 'source'),
      });
      for (const name of COLLECTIONS) await fill(source, name, SIZES.documents);
      const directory = join(dir.path, 'dump');
      const toDirectory = ['--output-directory', directory, '--batch-size', '64k'];
      const dumping = tool('dump', source, ...toDirectory);
      await underWay(dumping, "dumping 'a'", random);
      await dumping.end('SIGKILL');
      // It is written last: with it the dump was complete before the signal came.
      const wasComplete = existsSync(join(directory, 'dump.json'));
      await good(tool('dump', source, ...toDirectory, '--overwrite', String(wasComplete)));

      await using target = await ServerProcess.start({
        name: 'target',
        directory: join(dir.path, 'target'),
      });
      const fromDirectory = ['--input-directory', directory, '--batch-size', '64k'];
      let interrupted = 0;
      for (let kill = 0; kill < SIZES.kills; kill++) {
        const restoring = tool('restore', target, '--yes', ...fromDirectory);
        await underWay(restoring, `restoring '${random.pick(COLLECTIONS) ?? 'a'}'`, random);
        if (restoring.isRunning) interrupted++;
        if (kill % 2 === 0) {
          await restoring.end('SIGKILL');
        } else {
          await target.kill();
          const { code } = await restoring.ended;
          expect([0, 1]).toContain(code);
          await target.restart();
        }
      }
      expect(interrupted).toBeGreaterThan(0);
      await good(tool('restore', target, '--yes', ...fromDirectory));
      const again = join(dir.path, 'again');
      await good(tool('dump', target, '--output-directory', again));
      for (const name of COLLECTIONS) {
        const before = await dumpedContents(directory, name);
        expect(before.size).toBe(SIZES.documents);
        expect(await dumpedContents(again, name)).toEqual(before);
      }
    },
  );

  test(
    `dump and restore of ${SIZES.large} documents stay below 512 MiB, tool and server`,
    { timeout: TIMEOUT_MS },
    async () => {
      await using dir = await makeTempDir();
      const start = (name: string) =>
        ServerProcess.start({ name, directory: join(dir.path, name) });
      await using source = await start('source');
      await fill(source, 'large', SIZES.large);
      const directory = join(dir.path, 'dump');
      const dump = await watched(source, tool('dump', source, '--output-directory', directory));
      await using target = await start('target');
      const input = ['--input-directory', directory];
      const restore = await watched(target, tool('restore', target, ...input));
      await using api = new ServerApi({ url: target.url });
      expect(await api.count('large')).toBe(SIZES.large);
      const again = join(dir.path, 'again');
      await watched(target, tool('dump', target, '--output-directory', again));
      console.info(`${SIZES.large} documents: dump ${dump.text}; restore ${restore.text}`);
    },
  );
});

/** Waits for the end of the tool and checks what it and the server used meanwhile. */
async function watched(server: ServerProcess, child: Child): Promise<{ text: string }> {
  const meters = [new UsageMeter(child.pid), new UsageMeter(server.pid)];
  const startedMs = performance.now();
  await good(child);
  const seconds = (performance.now() - startedMs) / 1000;
  for (const meter of meters) meter.end();
  const peaks = meters.map(({ usage }) => usage.peakRssAnonBytes ?? 0);
  for (const peak of peaks) expect(peak).toBeLessThan(RSS_ANON_MAX_BYTES);
  const [ofTool = 0, ofServer = 0] = peaks.map((peak) => Math.round(peak / MIB));
  return { text: `${seconds.toFixed(1)} s, tool ${ofTool} MiB, server ${ofServer} MiB` };
}
