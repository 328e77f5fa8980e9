import type { Appliers } from '../follower/appliers.ts';
import { textParam, tickParam } from '../protocol/params.ts';
import { generationOf } from './generation.ts';
import { answerJson } from './replication-answer.ts';
import { readReplicationBody } from './replication-body.ts';
import type { ReplicationCommands } from './replication-dispatch.ts';

/** The commands about the applier of a database (contract 5). */
export function applierCommands(appliers: Appliers): ReplicationCommands {
  return {
    'applier-config': {
      methods: {
        GET: ({ ctx, database }) => {
          answerJson(ctx, appliers.of(database).config(generationOf(ctx)));
        },
        PUT: async ({ ctx, database }) => {
          const body = await readReplicationBody(ctx);
          answerJson(ctx, await appliers.of(database).configure(body, generationOf(ctx)));
        },
      },
    },
    'applier-start': {
      methods: {
        PUT: async ({ ctx, database, query }) => {
          const isGiven = textParam(query, 'from') !== undefined;
          const from = isGiven ? tickParam(query, 'from', 0n) : undefined;
          const barrier = tickParam(query, 'barrierId', 0n);
          const barrierId = barrier > 0n ? barrier.toString() : undefined;
          answerJson(ctx, await appliers.of(database).start({ from, barrierId }));
        },
      },
    },
    'applier-stop': {
      methods: {
        PUT: async ({ ctx, database }) => answerJson(ctx, await appliers.of(database).stop()),
      },
    },
    'applier-state': {
      methods: {
        GET: ({ ctx, database }) => answerJson(ctx, appliers.of(database).state()),
        DELETE: async ({ ctx, database }) => answerJson(ctx, await appliers.of(database).forget()),
      },
    },
  };
}
