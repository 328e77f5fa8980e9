import type { BarrierRequest } from '../leader/barriers.ts';
import type { Leader } from '../leader/leader.ts';
import { ServiceError } from '../model/errors.ts';
import type { Context } from './context.ts';
import { answerEmpty, answerJson } from './replication-answer.ts';
import { readReplicationBody } from './replication-body.ts';
import type { ReplicationCommands } from './replication-dispatch.ts';

/** The command `barrier`: followers of 2.8 to 3.3 hold the log with it (contract 2.10). */
export function barrierCommands(leader: Leader): ReplicationCommands {
  const { barriers } = leader;
  return {
    barrier: {
      takesId: true,
      methods: {
        GET: ({ ctx, database }) => answerJson(ctx, barriers.list(database)),
        POST: async ({ ctx, database }) => {
          answerJson(ctx, { id: await barriers.create(database, await readBarrier(ctx)) });
        },
        PUT: async ({ ctx, database, more }) => {
          const id = barrierId(more);
          barriers.extend(database, id, await readBarrier(ctx));
          answerEmpty(ctx);
        },
        DELETE: ({ ctx, database, more }) => {
          barriers.remove(database, barrierId(more));
          answerEmpty(ctx);
        },
      },
    },
  };
}

async function readBarrier(ctx: Context): Promise<BarrierRequest> {
  const { ttl, tick } = await readReplicationBody(ctx, 'invalid JSON');
  return { ttl, tick };
}

/** @throws ServiceError methodNotSupported when the path does not have exactly one segment more. */
function barrierId(more: readonly string[]): string {
  const [id] = more;
  if (id === undefined || more.length > 1) throw new ServiceError('methodNotSupported');
  return id;
}
