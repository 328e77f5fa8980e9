import type { Mending } from '../follower/mending.ts';
import { ServiceError } from '../model/errors.ts';
import { textParam } from '../protocol/params.ts';
import { readBody } from './body.ts';
import { answerJson } from './replication-answer.ts';
import type { ReplicationCommands } from './replication-dispatch.ts';

/** The command `mend-data`, an addition: `ticklog verify --repair` writes with it what a copy has wrong. */
export function mendCommands(mending: Mending): ReplicationCommands {
  return {
    'mend-data': {
      methods: {
        PUT: async ({ ctx, database, query }) => {
          const name = textParam(query, 'collection') ?? '';
          if (name === '') {
            throw new ServiceError('httpBadParameter', 'invalid collection parameter');
          }
          const collection = database.get(name);
          answerJson(ctx, await mending.run(database, collection, await readBody(ctx)));
        },
      },
    },
  };
}
