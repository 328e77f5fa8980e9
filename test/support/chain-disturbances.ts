import { setTimeout as sleep } from 'node:timers/promises';
import { OWN_PREFIX } from './chain-comparison.ts';
import { type ChainRun, type FollowerName, LOST_PLACE, type ServerName } from './chain-run.ts';
import { NAMES } from './traffic.ts';

/** Operations on the leader, and beside them or between them something that is done to one of the servers. */
export type Disturbance = (run: ChainRun) => Promise<void>;

const SKIP_MS = 2 * 60 * 60 * 1000;
const COMPACTED_MS = 10_000;
const POLL_MS = 20;
/** So much must be superseded before a journal is compacted. */
const DEAD_MIN = 1000;
const KILL_MAX_MS = 300;
const DOWN_MAX_MS = 300;
const LOGGER = '/_api/replication/logger';

/** All of them; when all have ended the first failure counts. */
async function beside(...running: readonly Promise<unknown>[]): Promise<void> {
  const ends = await Promise.allSettled(running);
  for (const end of ends) if (end.status === 'rejected') throw end.reason;
}

const restart =
  (name: FollowerName): Disturbance =>
  (run) =>
    beside(run.operations(), run.server(name).restart());

const restartLeader: Disturbance = async (run) => {
  await run.operations(0.5);
  await run.endTransactions();
  await run.server('leader').restart();
  await run.operations(0.5);
};

/** Its applier stands still for a while, and what is its own is written. */
const pause =
  (name: FollowerName): Disturbance =>
  async (run) => {
    await run.follower(name).stop();
    await run.operations();
    const path = `/_api/document?collection=${OWN_PREFIX}${name}`;
    await run.server(name).must('POST', path, { n: run.random.below(100) });
    await run.follower(name).start();
  };

/** Copies everything again, while the leader goes on. */
const copy =
  (name: FollowerName, how: 'sync' | 'make-follower'): Disturbance =>
  async (run) => {
    if (name === 'middle') run.breakLog('middle');
    await beside(run.operations(), run.follower(name).join(how));
    await run.operations(0.3);
  };

/** A copy of some collections, beside an applier that is to go on where it was. */
const copyPart =
  (name: FollowerName): Disturbance =>
  async (run) => {
    const { random } = run;
    const follower = run.follower(name);
    const restrictCollections = NAMES.filter(() => random.percent(50));
    const restrictType = random.percent(50) ? 'include' : 'exclude';
    const includeSystem = random.percent(50);
    if (restrictCollections.length === 0) return;
    if (name === 'middle') run.breakLog('middle');
    await follower.stop();
    await run.operations();
    const sync = follower.sync({ restrictType, restrictCollections, includeSystem });
    await beside(run.operations(0.3), sync);
    await run.operations(0.3);
    await follower.start();
  };

/** Reads the log again from an earlier place. */
const sendBack =
  (name: FollowerName): Disturbance =>
  async (run) => {
    const from = run.earlier(name);
    await run.operations();
    if (from === undefined) return;
    await run.follower(name).stop();
    // What is here may not fit what is read again; then it says so.
    run.follower(name).excuse(LOST_PLACE);
    await run.follower(name).start(from);
    await run.operations(0.3);
  };

/** What is written meanwhile is missing in its log: whoever follows it must copy everything. */
const logNothing =
  (name: ServerName & ('leader' | 'middle')): Disturbance =>
  async (run) => {
    await run.server(name).must('PUT', `${LOGGER}-stop`);
    run.breakLog(name);
    await run.operations();
    await run.server(name).must('PUT', `${LOGGER}-start`);
    await run.operations(0.3);
  };

/** Nothing is lost by that. */
const restartLogger: Disturbance = async (run) => {
  await run.operations(0.3);
  await run.server('leader').must('PUT', `${LOGGER}-stop`);
  await run.server('leader').must('PUT', `${LOGGER}-start`);
  await run.operations(0.3);
};

/** Much is superseded at once, and two hours old: journals are written anew, without it. */
const compact: Disturbance = async (run) => {
  const leader = run.server('leader');
  const { world } = run;
  await run.operations(0.5);
  if (!world.named('churned')) {
    const { id } = await leader.must('POST', '/_api/collection', { name: 'churned' });
    world.add({ cid: String(id), name: 'churned', type: 2 });
  }
  world.named('churned')?.forget();
  for (let i = 0; i < 5; i++) {
    const documents = Array.from({ length: 300 }, (_, n) => ({ _key: `${n % 100}`, i }));
    await leader.must('POST', '/_api/document/churned?overwriteMode=replace', documents);
  }
  for (const name of ['leader', 'middle', 'last'] as const) run.server(name).skip(SKIP_MS);
  for (const deadlineMs = performance.now() + COMPACTED_MS; ;) {
    const { figures } = await leader.must('GET', '/_api/collection/churned/figures');
    const { dead } = figures as { dead: { count: number } };
    if (dead.count < DEAD_MIN) break;
    if (performance.now() > deadlineMs) throw new Error(`${dead.count} dead entries are left`);
    await sleep(POLL_MS);
  }
  await run.operations(0.5);
};

/** SIGKILL in the middle of the operations. */
const kill =
  (...names: readonly ServerName[]): Disturbance =>
  async (run) => {
    const strike = killAndStart(run, names);
    await beside(run.operations(1, { mayLose: names.includes('leader') }), strike);
    if (names.includes('leader')) await run.settleLeader();
    await run.operations(0.3);
  };

/** SIGKILL while a follower copies everything. */
const killCopying =
  (name: FollowerName, victim: ServerName): Disturbance =>
  async (run) => {
    if (name === 'middle') run.breakLog('middle');
    const copying = run
      .follower(name)
      .join()
      .catch(() => undefined);
    const mayLose = victim === 'leader';
    await beside(run.operations(0.5, { mayLose }), copying, killAndStart(run, [victim]));
    if (mayLose) await run.settleLeader();
    // Whatever has become of it, the copy that is made now is a whole one.
    await run.follower(name).join();
  };

async function killAndStart(run: ChainRun, names: readonly ServerName[]): Promise<void> {
  const random = run.random.fork();
  await sleep(random.below(KILL_MAX_MS));
  await Promise.all(names.map((name) => run.server(name).kill()));
  await sleep(random.below(DOWN_MAX_MS));
  await Promise.all(names.map((name) => run.server(name).start()));
}

/** What everybody may do to servers that are in good order. */
export const DISTURBANCES: Readonly<Record<string, Disturbance>> = {
  nothing: (run) => run.operations(2),
  'restart leader': restartLeader,
  'restart middle': restart('middle'),
  'restart last': restart('last'),
  'pause middle': pause('middle'),
  'pause last': pause('last'),
  'sync middle': copy('middle', 'sync'),
  'sync last': copy('last', 'sync'),
  'make-follower middle': copy('middle', 'make-follower'),
  'make-follower last': copy('last', 'make-follower'),
  'leader logs nothing': logNothing('leader'),
  'middle logs nothing': logNothing('middle'),
  'logger restarted': restartLogger,
  'copy part middle': copyPart('middle'),
  'copy part last': copyPart('last'),
  'send back middle': sendBack('middle'),
  'send back last': sendBack('last'),
};

/** Where their clocks can be moved. */
export const COMPACTION: Readonly<Record<string, Disturbance>> = { compaction: compact };

/** Where they can be killed. */
export const KILLS: Readonly<Record<string, Disturbance>> = {
  'kill leader': kill('leader'),
  'kill middle': kill('middle'),
  'kill last': kill('last'),
  'kill leader and middle': kill('leader', 'middle'),
  'kill all': kill('leader', 'middle', 'last'),
  'kill middle copying': killCopying('middle', 'middle'),
  'kill leader copied': killCopying('middle', 'leader'),
  'kill last copying': killCopying('last', 'last'),
  'kill middle copied': killCopying('last', 'middle'),
};
