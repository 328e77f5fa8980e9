import { Child } from '../support/child.ts';
import { PRODUCT_PROGRAM } from '../support/project.ts';
import type { ServerApi } from '../support/server-api.ts';
import { type Documents, type Model, differences, readDocuments } from './model.ts';
import type { Narrator } from './narrator.ts';

/** So many differences are named; the others are only counted. */
const NAMED_MAX = 10;

/** Runs `ticklog verify` on two servers and shows what it says. @returns whether it found them equal */
export async function runVerify(
  narrator: Narrator,
  leaderEndpoint: string,
  followerEndpoint: string,
): Promise<boolean> {
  const argv = [PRODUCT_PROGRAM, 'verify', leaderEndpoint, followerEndpoint];
  narrator.say(`ticklog verify ${leaderEndpoint} ${followerEndpoint}`);
  const child = new Child({ name: 'ticklog verify', argv });
  const { code } = await child.ended;
  narrator.show(child.output.trimEnd());
  return code === 0;
}

/**
 * Compares without the help of the product: every document of both servers, read from their dumps, with each
 * other and with what the leader acknowledged; and the collections with their indexes.
 * @returns whether all of it is equal
 */
export async function compareIndependently(
  narrator: Narrator,
  leader: ServerApi,
  follower: ServerApi,
  model: Model,
): Promise<boolean> {
  const collections = [...model.collections.keys()];
  const onLeader = await readDocuments(leader.http, collections);
  const onFollower = await readDocuments(follower.http, collections);
  const checks = [
    showDifferences(narrator, 'acknowledged writes and leader', model.collections, onLeader),
    showDifferences(narrator, 'leader and follower', onLeader, onFollower),
    await haveSameSchema(narrator, leader, follower),
  ];
  return checks.every(Boolean);
}

/** Tells how two sides compare. @returns whether they are equal */
export function showDifferences(
  narrator: Narrator,
  what: string,
  left: ReadonlyMap<string, Documents>,
  right: ReadonlyMap<string, Documents>,
): boolean {
  const found = differences(left, right);
  if (found.length === 0) {
    narrator.say(`${what}: equal, document by document`);
    return true;
  }
  narrator.say(`${what}: ${found.length} DIFFERENT`);
  narrator.show(found.slice(0, NAMED_MAX).join('\n'));
  return false;
}

async function haveSameSchema(
  narrator: Narrator,
  leader: ServerApi,
  follower: ServerApi,
): Promise<boolean> {
  const [there, here] = [await schemaOf(leader), await schemaOf(follower)];
  const same = there === here;
  narrator.say(`collections and indexes: ${same ? 'equal' : 'DIFFERENT'}`);
  if (!same) narrator.show(`${there}\n${here}`);
  return same;
}

async function schemaOf(server: ServerApi): Promise<string> {
  const entries = await server.inventory();
  const shown = entries.map(({ parameters: { cid, name, type }, indexes }) => {
    const inOrder = indexes.map((index) => Object.entries(index).sort(byName));
    return { cid, name, type, indexes: inOrder };
  });
  return JSON.stringify(shown);
}

function byName([left]: [string, unknown], [right]: [string, unknown]): number {
  return left < right ? -1 : 1;
}
