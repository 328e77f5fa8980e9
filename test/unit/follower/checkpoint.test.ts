import { expect, test } from 'vitest';
import {
  type Checkpoint,
  checkpointAt,
  deleteCheckpoint,
  readCheckpoint,
  writeCheckpoint,
} from '../../../src/follower/checkpoint.ts';
import { metaKey } from '../../../src/storage/keys.ts';
import { encodeRecord } from '../../../src/storage/record.ts';
import { TestCore } from '../../support/store.ts';

const CHECKPOINT: Checkpoint = {
  leaderId: '4711',
  incarnation: 'abc',
  appliedTick: 5n,
  processedTick: 9_223_372_036_854_775_000n,
  open: [
    {
      tid: '77',
      startTick: 6n,
      chunks: 2,
      lines: 17,
      bytes: 5_000_000_000,
      appliedChunks: 1,
      appliedLines: 9,
    },
  ],
  updatedMs: 1_600_000_000_000,
};

test('a checkpoint comes back as it was written, small and large ticks alike', async () => {
  await using core = await TestCore.open();
  await core.store.commit((tx) => writeCheckpoint(tx, 1, CHECKPOINT));
  await core.reopen();
  expect(readCheckpoint(core.store, 1)).toEqual(CHECKPOINT);
  expect(readCheckpoint(core.store, 2)).toBeUndefined();
});

test('a deleted checkpoint is gone', async () => {
  await using core = await TestCore.open();
  await core.store.commit((tx) => writeCheckpoint(tx, 1, CHECKPOINT));
  await core.store.commit((tx) => deleteCheckpoint(tx, 1));
  expect(readCheckpoint(core.store, 1)).toBeUndefined();
});

test('one who begins after a tick has read and applied up to there, and does not know what is open', () => {
  expect(checkpointAt({ leaderId: '1', incarnation: 'i', tick: 8n }, 3)).toEqual({
    leaderId: '1',
    incarnation: 'i',
    appliedTick: 8n,
    processedTick: 8n,
    open: [],
    isGiven: true,
    updatedMs: 3,
  });
});

test.each([
  ['a damaged record', Buffer.from('garbage')],
  ['a record of something else', encodeRecord(metaKey('k', 1), { leaderId: 4711 })],
  ['a record that is no object', encodeRecord(metaKey('k', 1), 'text')],
])('%s is an invalid applier state (1407), not a missing one', async (_what, value) => {
  await using core = await TestCore.open();
  await core.store.commit((tx) => {
    tx.put(metaKey('k', 1), value);
  });
  expect(() => readCheckpoint(core.store, 1)).toThrow(
    expect.objectContaining({ errorNum: 1407 }) as Error,
  );
});
