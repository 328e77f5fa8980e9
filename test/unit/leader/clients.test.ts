import { expect, test } from 'vitest';
import { FollowClients } from '../../../src/leader/clients.ts';
import { openLeaderServer } from '../../support/leader-server.ts';

test('a thousand clients are remembered, and who called last longest ago is forgotten first', async () => {
  await using server = await openLeaderServer();
  const { database } = server;
  const clients = new FollowClients();
  const note = (id: number): void => {
    clients.note(database, { serverId: String(id), lastServedTick: 0n, from: 0n, timeMs: id });
  };
  for (let id = 1; id <= 1000; id++) note(id);
  note(1);
  note(1001);
  const ids = clients.list(database).map(({ serverId }) => serverId);
  expect(ids).toHaveLength(1000);
  expect(ids).not.toContain('2');
  expect(ids.slice(-2)).toEqual(['1', '1001']);
});
