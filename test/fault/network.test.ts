import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runCli } from '../support/cli-run.ts';
import { FAULTS } from '../support/faulty-proxy.ts';
import { NetworkScene } from '../support/network-scene.ts';

const IS_LONG = process.env['TICKLOG_LONG'] === '1';
const SECONDS = Number(process.env['TICKLOG_NETWORK_SECONDS'] ?? (IS_LONG ? 300 : 5));
const SEED = Number(process.env['TICKLOG_NETWORK_SEED'] ?? Date.now() % 1_000_000);
const FAULT_MS = IS_LONG ? 5000 : 300;
/** So many requests must have met a fault; on a slow machine that takes longer. */
const MET_MIN = 2;
const MET_WITHIN_MS = 15_000;
const NAMES = ['a', 'b', 'd'] as const;

describe(`a follower behind a network (seed ${SEED})`, () => {
  let scene: NetworkScene;

  beforeAll(async () => {
    scene = await NetworkScene.open(SEED);
    await scene.write(20);
    await scene.copy();
    await scene.follow();
  });
  afterAll(() => scene[Symbol.asyncDispose]());

  test.each(FAULTS)('with %s applies everything once, in order, and goes on', async (fault) => {
    scene.disturb([fault], 60);
    const met = (): number => scene.proxy.passed.filter((each) => each.fault === fault).length;
    const writing = async (): Promise<void> => {
      const beganMs = performance.now();
      const isDue = (ms: number): boolean => performance.now() - beganMs >= ms;
      while (!isDue(FAULT_MS) || (met() < MET_MIN && !isDue(MET_WITHIN_MS))) {
        await scene.write(4);
        await sleep(20);
      }
    };
    await scene.watching(writing());
    expect(met()).toBeGreaterThanOrEqual(MET_MIN);
    scene.heal();
    await scene.follower.caughtUp(scene.leader);
    await scene.applied();
    expect(scene.proxy.passed.filter(({ target }) => target.startsWith('/trap'))).toEqual([]);
    expect(await scene.follower.differences(scene.leader)).toEqual([]);
  });
});

test(
  `a copy and ${SECONDS} s of changes over a network that does everything at once end in the same (seed ${SEED})`,
  { timeout: 120_000 + SECONDS * 1000 },
  async () => {
    await using scene = await NetworkScene.open(SEED + 1);
    await scene.write(300);
    scene.disturb(FAULTS, 20);
    await scene.copy();
    await scene.follow();
    scene.disturb(FAULTS, 40);
    await scene.watching(change(scene));
    scene.heal();
    await scene.follower.caughtUp(scene.leader);
    expect(await scene.follower.differences(scene.leader)).toEqual([]);
    const { running, errorNum } = await scene.follower.api.applierState();
    expect([running, errorNum]).toEqual([true, 0]);
  },
);

/** Documents, and collections that come, change their names, and go. */
async function change(scene: NetworkScene): Promise<void> {
  const { leader, random } = scene;
  for (const endMs = performance.now() + SECONDS * 1000; performance.now() < endMs;) {
    await scene.write(1 + random.below(6));
    const name = random.pick(NAMES)!;
    const names = await leader.names();
    if (!names.includes(name)) await leader.create(name);
    else if (random.percent(15)) await leader.drop(name);
    else if (random.percent(15) && !names.includes(`${name}2`))
      await leader.rename(name, `${name}2`);
    else await leader.put(name, `k${random.below(1_000_000_000)}`);
    if (random.percent(10) && names.includes(`${name}2`)) await leader.drop(`${name}2`);
    await sleep(random.below(20));
    if (random.percent(2)) scene.proxy.cutAll();
  }
}

/** Looks for why a follower has stopped everywhere where it should say so. */
async function expectStopped(scene: NetworkScene, errorNum: number, why: string): Promise<void> {
  const state = await scene.follower.stopped();
  expect(state).toMatchObject({ running: false, errorNum });
  expect(state.errorMessage).toContain(why);
  const reason = expect.stringContaining(why) as string;
  expect(scene.logged).toEqual([
    expect.objectContaining({ errorNum, reason, message: 'applier stopped by an error' }),
  ]);
  const status = await runCli(['status', '--server.endpoint', scene.follower.endpoint]);
  expect(status.code).toBe(1);
  expect(status.stdout).toContain(why);
}

test('a leader that is replaced by another stops the follower, which says so', async () => {
  await using scene = await NetworkScene.open(SEED);
  await scene.write(5);
  await scene.copy();
  await scene.follow();
  await scene.follower.caughtUp(scene.leader);
  scene.proxy.leader = scene.other.endpoint.replace('tcp:', 'http:');
  scene.proxy.cutAll();
  await expectStopped(scene, 1404, 'got wrong server id');
  expect(await scene.applied()).toBe(5);
});

test('a leader that is put back to a backup stops the follower, which keeps what it has', async () => {
  await using scene = await NetworkScene.open(SEED);
  await scene.write(5);
  await scene.leader.backUp();
  scene.proxy.leader = scene.leader.endpoint.replace('tcp:', 'http:');
  await scene.write(5);
  await scene.copy();
  await scene.follow();
  await scene.follower.caughtUp(scene.leader);
  await scene.leader.putBack();
  await scene.leader.put('c', '6', '7');
  scene.proxy.leader = scene.leader.endpoint.replace('tcp:', 'http:');
  scene.proxy.cutAll();
  await expectStopped(scene, 1404, 'was put back to an older state');
  expect(await scene.applied()).toBe(10);
});
