import type { Clock } from '../base/clock.ts';
import { VerifyGauge } from '../follower/verify-gauge.ts';
import type { Verification } from '../follower/verification.ts';
import { reportOf } from './detached-request.ts';
import { answerJson } from './replication-answer.ts';
import { readReplicationBody } from './replication-body.ts';
import type { ReplicationCommands } from './replication-dispatch.ts';
import { asSyncFailure } from './replication-sync.ts';

/** How long is waited for what is still on its way, unless the request says so, in seconds; and at most. */
const WAIT_SECONDS = 10;
const WAIT_MAX_SECONDS = 3600;

/**
 * The command `verify`, an addition: compares a database with the leader that its applier is set to follow, while
 * the request waits.
 */
export function verifyCommands({
  verification,
  clock,
}: {
  readonly verification: Verification;
  readonly clock: Clock;
}): ReplicationCommands {
  return {
    verify: {
      methods: {
        PUT: async ({ ctx, database }) => {
          const { wait } = await readReplicationBody(ctx);
          const isTime = typeof wait === 'number' && wait >= 0;
          const seconds = isTime ? Math.min(wait, WAIT_MAX_SECONDS) : WAIT_SECONDS;
          const { deadline } = ctx.state.limits;
          try {
            const gauge = new VerifyGauge({ clock });
            const report = reportOf(ctx.req);
            if (report) report.progress = () => ({ verify: gauge.numbers });
            const task = { waitMs: seconds * 1000, gauge };
            answerJson(ctx, await verification.run(database, task, deadline));
          } catch (error) {
            throw asSyncFailure(error);
          }
        },
      },
    },
  };
}
