import type { Appliers } from '../follower/appliers.ts';
import { reportOf } from './detached-request.ts';
import { answerJson } from './replication-answer.ts';
import { readReplicationBody } from './replication-body.ts';
import type { ReplicationCommands, ReplicationRequest } from './replication-dispatch.ts';
import { givenRequestId } from './request-id.ts';
import { asSyncFailure, syncResultBody } from './replication-sync.ts';

/** The command that makes a follower, under its names of 2.7 and of 3.8 (contract 3.8). */
export function makeFollowerCommands(appliers: Appliers): ReplicationCommands {
  const command = {
    methods: { PUT: (request: ReplicationRequest) => makeFollower(appliers, request) },
  };
  return { 'make-slave': command, 'make-follower': command };
}

/**
 * Copies and begins to follow while the request waits. The copy ends when the server stops; a client
 * that goes away does not end it.
 */
async function makeFollower(
  appliers: Appliers,
  { ctx, database }: ReplicationRequest,
): Promise<void> {
  const body = await readReplicationBody(ctx);
  const applier = appliers.of(database);
  const report = reportOf(ctx.req);
  if (report) report.progress = () => ({ sync: applier.state().state.sync });
  try {
    const { state, copied } = await applier.follow(body, ctx.state.limits.signal, {
      requestId: givenRequestId(ctx.headers),
    });
    // Addition: what was copied, as `sync` answers it.
    answerJson(ctx, { ...state, copied: syncResultBody(copied) });
  } catch (error) {
    throw asSyncFailure(error);
  }
}
