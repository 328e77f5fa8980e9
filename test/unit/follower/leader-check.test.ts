import { describe, expect, it } from 'vitest';
import type { LeaderState } from '../../../src/follower/leader-answers.ts';
import {
  ACCEPTED_VERSIONS,
  checkLeader,
  holdsHistory,
} from '../../../src/follower/leader-check.ts';
import { isServiceError } from '../../../src/model/errors.ts';

const OPTIONS = {
  ownServerId: '11',
  acceptedVersions: ACCEPTED_VERSIONS,
  endpoint: 'tcp://127.0.0.1:8612',
};

function state(changes: Partial<LeaderState>): LeaderState {
  return {
    serverId: '12',
    version: '1.4.3',
    running: true,
    lastLogTick: 5n,
    incarnations: undefined,
    ...changes,
  };
}

function refusalOf(changes: Partial<LeaderState>): { errorNum: number; message: string } {
  try {
    checkLeader(state(changes), OPTIONS);
  } catch (error) {
    if (isServiceError(error)) return { errorNum: error.errorNum, message: error.message };
    throw error;
  }
  return { errorNum: 0, message: '' };
}

describe('checkLeader', () => {
  it.each(['1.4.3', '1.4.16', '1.4', '2.0.0', '2.8.11', '3.0.3', '3.3.25', '3.4.0', '3.12.4-1'])(
    'accepts version %s',
    (version) => {
      expect(refusalOf({ version }).errorNum).toBe(0);
    },
  );

  it.each(['1.3.9', '1.41.0', '4.0.0', '0.1.0', '30.1', ''])(
    'refuses version %j with 1403',
    (version) => {
      expect(refusalOf({ version }).errorNum).toBe(1403);
    },
  );

  it('says of a version that is refused which ones can be followed', () => {
    expect(refusalOf({ version: '1.3.9' }).message).toBe(
      'got incompatible master version from tcp://127.0.0.1:8612: 1.3.9; ' +
        'what can be followed besides ticklog is 1.4, 2, 3',
    );
  });

  it('accepts a ticklog leader whatever version it shows', () => {
    expect(refusalOf({ version: '0.1.0', incarnations: [] }).errorNum).toBe(0);
  });

  it('refuses this server itself with 1405 and says where it met it', () => {
    expect(refusalOf({ serverId: '11' })).toEqual({
      errorNum: 1405,
      message:
        "got same server id (11) from endpoint 'tcp://127.0.0.1:8612' as the local applier server's id",
    });
  });

  it('knows its own id however it is written', () => {
    expect(refusalOf({ serverId: '0011' }).errorNum).toBe(1405);
  });

  it.each(['0', '', 'abc', '12x', '99999999999999999999999'])(
    'refuses the server id %j with 1401',
    (serverId) => {
      expect(refusalOf({ serverId }).errorNum).toBe(1401);
    },
  );
});

describe('holdsHistory', () => {
  const run = (
    id: string,
    foundTick: bigint,
  ): { id: string; firstTick: bigint; foundTick: bigint } => ({
    id,
    firstTick: foundTick + 1n,
    foundTick,
  });

  it('a position of the present run holds', () => {
    expect(holdsHistory([run('a', 0n), run('b', 50n)], 'b', 1000n)).toBe(true);
  });

  it('a position of an earlier run holds when the next run found it', () => {
    const runs = [run('a', 0n), run('b', 100n), run('c', 300n)];
    expect(holdsHistory(runs, 'a', 100n)).toBe(true);
    expect(holdsHistory(runs, 'b', 300n)).toBe(true);
  });

  it('a position beyond what the next run found is of another history', () => {
    const runs = [run('a', 0n), run('b', 100n), run('c', 300n)];
    expect(holdsHistory(runs, 'a', 101n)).toBe(false);
    expect(holdsHistory(runs, 'b', 301n)).toBe(false);
  });

  it('an unknown run is of another history', () => {
    expect(holdsHistory([run('a', 0n)], 'x', 0n)).toBe(false);
    expect(holdsHistory([], 'a', 0n)).toBe(false);
  });
});
