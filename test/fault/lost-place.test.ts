import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { runCli } from '../support/cli-run.ts';
import { CrashPair, type Side } from '../support/crash-pair.ts';
import { Random } from '../support/random.ts';
import { makeTempDir } from '../support/temp-dir.ts';

/** The long form: npm run test:fault. A run is repeated, as far as the clock allows, with TICKLOG_SEED. */
const IS_LONG = process.env['TICKLOG_LONG'] === '1';
const SEED = Number(process.env['TICKLOG_SEED'] ?? Date.now() % 1_000_000);
const ROUNDS = IS_LONG ? 100 : 2;
const COLLECTIONS = ['one', 'two', 'three'];
const DOCUMENTS = 3000;
const CHANGES_MAX = 200;
const KILLS_MAX = 3;
const KILL_WITHIN_MS = 250;

test(
  `a follower that loses its place and is killed while it gets back equals its leader, ${ROUNDS} times (seed ${SEED})`,
  { timeout: IS_LONG ? 20 * 60_000 : 120_000 },
  async () => {
    const random = new Random(SEED);
    await using dir = await makeTempDir();
    await using pair = await CrashPair.start({
      ...{ directory: dir.path, connections: 2, chunkSize: 16_384 },
    });
    const { leader, follower } = pair;
    for (const name of COLLECTIONS) {
      await leader.createCollection(name);
      await leader.createIndex(name, { type: 'hash', fields: ['n'], unique: true });
      const lines = Array.from({ length: DOCUMENTS }, (_, i) => `{"_key":"k${i}","n":${i}}`);
      await leader.import(name, lines.join('\n'), DOCUMENTS);
    }
    await pair.makeFollower();
    let kills = 0;
    for (let round = 1; round <= ROUNDS; round++) {
      await follower.stopApplier();
      await follower.configureApplier({
        ...{ autoResync: true, autoResyncRetries: 1_000_000 },
        // Errors that may be passed over leave the journals out, and keys are compared.
        ignoreErrors: random.percent(50) ? 1 : 0,
      });
      await leader.stopLogger();
      for (const name of COLLECTIONS) {
        if (random.percent(70)) await change(name, random, round);
      }
      await leader.http.json('PUT', '/_api/replication/logger-start');
      await follower.startApplier();
      for (let i = random.below(KILLS_MAX + 1); i > 0; i--) {
        await sleep(random.below(KILL_WITHIN_MS));
        const side: Side = random.percent(70) ? 'follower' : 'leader';
        await pair.end(side);
        await pair.restart(side);
        kills++;
      }
      await pair.caughtUp();
      const endpoints = [pair.endpoint('leader'), pair.endpoint('follower')];
      const { code, stdout } = await runCli(['verify', ...endpoints]);
      expect(code, `seed ${SEED}, round ${round}\n${stdout}\n${pair.output}`).toBe(0);
    }
    console.info(`seed ${SEED}: lost its place ${ROUNDS} times, ${kills} kills`);

    async function change(name: string, changes: Random, round: number): Promise<void> {
      for (let i = changes.below(CHANGES_MAX); i > 0; i--) {
        const key = `k${changes.below(DOCUMENTS)}`;
        const n = round * 1_000_000 + i;
        const isGone = changes.percent(20);
        const path = `/_api/document/${name}/${key}`;
        if (isGone) await leader.http.json('DELETE', `${path}?silent=true`).catch(onMissing);
        else {
          const text = `{"_key":"${key}","n":${n}}`;
          const query = `collection=${name}&overwriteMode=replace`;
          await leader.http.json('POST', `/_api/document?${query}`, text);
        }
      }
    }
  },
);

/** A document that is gone already. */
function onMissing(error: unknown): void {
  if (!String(error).includes('404')) throw error;
}
