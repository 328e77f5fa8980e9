import { afterEach, beforeEach, expect, test } from 'vitest';
import { runCli } from '../support/cli-run.ts';
import { type CountedWire, openCountedWire } from '../support/counted-wire.ts';
import { LiveServer } from '../support/live-server.ts';
import { changeSecretly, loadPeople, readPerson } from '../support/people.ts';

/** The long form: TICKLOG_LONG=1. */
const IS_LONG = process.env['TICKLOG_LONG'] === '1';
const DOCUMENTS = IS_LONG ? 1_000_000 : 50_000;
/** Of questions how far it has come there are the more the slower a machine is; of few documents they are the most. */
const QUESTIONS_BYTES = IS_LONG ? 0 : 64 * 1024;
/** 1 MiB for 1,000,000 documents, and no more for each of fewer: a list of their keys would take ten times as much. */
const BYTES_MAX = (1024 * 1024 * DOCUMENTS) / 1_000_000 + QUESTIONS_BYTES;
const LONG_MS = 1_200_000;

let leader: LiveServer;
let follower: LiveServer;
beforeEach(async () => {
  [leader, follower] = await Promise.all([LiveServer.start(), LiveServer.start()]);
  await leader.create('people');
});
afterEach(async () => {
  await Promise.all([leader, follower].map((server) => server[Symbol.asyncDispose]()));
});

let wires: [CountedWire, CountedWire];

function verify(...flags: string[]) {
  return runCli(['verify', ...wires.map(({ endpoint }) => endpoint), ...flags]);
}

const bytes = (): number => wires[0].bytes + wires[1].bytes;
beforeEach(async () => {
  wires = [await openCountedWire(leader.endpoint), await openCountedWire(follower.endpoint)];
});
afterEach(async () => {
  await Promise.all(wires.map((wire) => wire[Symbol.asyncDispose]()));
});

test(
  `one changed value among ${DOCUMENTS} documents is found and mended with ${Math.floor(BYTES_MAX)} bytes at most`,
  { timeout: IS_LONG ? LONG_MS : 60_000 },
  async () => {
    await loadPeople(leader, DOCUMENTS);
    await follower.sync(leader);
    await changeSecretly(follower, `k${DOCUMENTS - 77}`);
    const began = performance.now();
    const found = await verify();
    const foundMs = Math.round(performance.now() - began);
    expect(found.code).toBe(3);
    expect(found.stdout).toContain(`  key k${DOCUMENTS - 77}: contents differ\n`);
    expect(found.stdout.match(/ {2}key /g)).toHaveLength(1);
    const foundBytes = bytes();
    expect(foundBytes).toBeLessThan(BYTES_MAX);
    for (const wire of wires) wire.reset();
    const mended = await verify('--repair', '--yes');
    expect(mended.code, mended.stdout).toBe(0);
    expect(mended.stdout).toContain('people: mended 1 document on B\n');
    expect(bytes()).toBeLessThan(BYTES_MAX);
    console.warn(
      `one of ${DOCUMENTS} found with ${foundBytes} bytes in ${foundMs} ms, mended with ${bytes()}`,
    );
    expect(await readPerson(follower, `k${DOCUMENTS - 77}`)).toEqual(
      await readPerson(leader, `k${DOCUMENTS - 77}`),
    );
  },
);
