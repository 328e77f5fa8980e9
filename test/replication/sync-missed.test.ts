import { expect, test } from 'vitest';
import { type ScriptAnswer, json, page, refusal } from '../support/leader-script.ts';
import { type Listed, PARAMETERS, inRun, line } from '../support/sync-script.ts';
import {
  FOLLOW,
  type Run,
  STATE,
  type Scene,
  applied,
  idle,
  keys,
  log,
  openScene,
  put,
  run,
  ticklogState,
} from './applier-scene.ts';

/*
 * A ticklog leader of two collections, `c` and `gone`, that is restarted during a sync and has dropped `gone`
 * then. Its log goes on to speak of `gone` up to the drop.
 */

/** What the sync is up to. */
const PLAN_TICK = 1001;
const RUN1 = run('run1', 0);
const RUN2 = run('run2', PLAN_TICK);
/** The list that lacks `gone` is as of this tick, given out in run 2. */
const MISSED_TICK = 1300;
const LAST_TICK = 1170;
const LOG = [
  ofGone(1150, { type: 2300, key: 'x', rev: '1150', data: { _key: 'x', _rev: '1150' } }),
  ofGone(1160, { type: 2001 }),
  put(LAST_TICK, 'later'),
];

function ofGone(tick: number, rest: object): string {
  return JSON.stringify({ tick: String(tick), cid: '78', cname: 'gone', ...rest });
}

function listed(cid: string, name: string): Listed {
  return {
    parameters: { ...PARAMETERS, cid, name },
    indexes: [],
    ticklog: { deletionsSince: '0' },
  };
}

const C = listed('77', 'c');
const GONE = listed('78', 'gone');

function listOf(tick: number, ...collections: Listed[]): ScriptAnswer {
  const state = { running: true, lastLogTick: String(LAST_TICK) };
  return json({ collections, state, tick: String(tick) });
}

/** In which run the leader is; and that is so from now on. */
interface Restarting extends Scene {
  readonly enter: (...runs: readonly Run[]) => void;
}

/** @param dump what is answered to a request for documents */
async function openLeader(
  order: readonly Listed[],
  dump: (leader: Restarting, cid: string) => ScriptAnswer,
): Promise<Restarting> {
  const scene = await openScene();
  const { script } = scene;
  let present = inRun(RUN1.id);
  const leader: Restarting = {
    ...scene,
    enter: (...runs) => {
      script.always(STATE, ticklogState(runs));
      present = inRun(runs.at(-1)?.id ?? '');
    },
  };
  leader.enter(RUN1);
  script
    .always('POST batch', json({ id: '5' }))
    .always('PUT batch/5', { status: 204 })
    .always('DELETE batch/5', { status: 204 })
    .always('GET inventory', listOf(PLAN_TICK, ...order))
    .always('GET dump', ({ query }) => dump(leader, query.get('collection') ?? ''))
    .always(FOLLOW, ({ query }) =>
      query.get('from') === String(PLAN_TICK)
        ? log(LOG, { lastTick: LAST_TICK, ticklog: true, ...present })
        : idle(LAST_TICK, present.headers),
    );
  return leader;
}

/** The only document of `c`. */
function documentOfC(run: Run): ScriptAnswer {
  return page([line(1, 'a')], inRun(run.id, { 'x-ticklog-deletions-since': '0' }));
}

async function makeFollower({ script, follower }: Scene): Promise<void> {
  const settings = { endpoint: script.endpoint, connectionRetryWaitTime: 0.05 };
  await follower.applier.follow(settings, new AbortController().signal);
}

async function expectFollowed(leader: Scene): Promise<void> {
  const { follower } = leader;
  const state = await follower.until((at) => !at.running || applied(LAST_TICK)(at));
  expect(state).toMatchObject({ running: true, lastError: { errorNum: 0 } });
  expect(await keys(leader)).toEqual(['a', 'later']);
  expect(follower.database.collections.map(({ name }) => name)).toEqual(['c']);
}

test('what a leader drops after a restart during the sync is passed over in its log', async () => {
  const leader = await openLeader([C, GONE], ({ script, enter }, cid) => {
    if (cid === '77') return documentOfC(RUN1);
    enter(RUN1, RUN2);
    script.always('GET inventory', listOf(MISSED_TICK, C));
    return refusal(404, 1203);
  });
  await makeFollower(leader);
  await expectFollowed(leader);
  // Also by an applier that begins anew.
  await leader.follower.applier.stop();
  await leader.follower.applier.start({ from: BigInt(PLAN_TICK) });
  await expectFollowed(leader);
});

test('a list that may be of either run of a restarted leader is asked for again', async () => {
  const leader = await openLeader([C, GONE], ({ script, enter }, cid) => {
    if (cid === '77') return documentOfC(RUN1);
    script.always('GET inventory', () => {
      enter(RUN1, RUN2);
      return listOf(MISSED_TICK, C);
    });
    return refusal(404, 1203);
  });
  await makeFollower(leader);
  const dumps = leader.script.seen('GET dump');
  expect(dumps.filter(({ query }) => query.get('collection') === '78')).toHaveLength(2);
  await expectFollowed(leader);
});

test('a drop that the leader has lost again by the end of the sync is not remembered', async () => {
  const run3 = run('run3', LAST_TICK);
  const leader = await openLeader([GONE, C], ({ script, enter }, cid) => {
    if (cid === '78') {
      enter(RUN1, RUN2);
      script.always('GET inventory', listOf(MISSED_TICK, C));
      return refusal(404, 1203);
    }
    enter(RUN1, RUN2, run3);
    return documentOfC(run3);
  });
  await makeFollower(leader);
  const { lastError } = await leader.follower.stopped();
  expect(lastError).toMatchObject({ errorNum: 1203 });
});
