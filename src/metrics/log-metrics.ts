import type { Registry } from 'prom-client';
import type { Catalogue } from '../documents/catalogue.ts';
import type { Database } from '../documents/database.ts';
import type { ClientStanding, Leader } from '../leader/leader.ts';
import { type Reading, addCounters, addGauges } from './families.ts';

/** Of each database so many clients are shown, those that have asked last: each is a row of its own. */
const CLIENTS_SHOWN = 100;

/** The logs of all databases, and who follows them. */
export function addLogMetrics(
  registry: Registry,
  deps: { readonly catalogue: Catalogue; readonly leader: Leader },
): void {
  addLogs(registry, deps.catalogue);
  addClients(registry, deps);
}

function addLogs(registry: Registry, catalogue: Catalogue): void {
  const each = (of: (log: Database['changelog']) => number): Reading =>
    catalogue.databases.map(({ name: database, changelog }) => [{ database }, of(changelog)]);
  const labels = ['database'];
  addGauges(registry, [
    {
      ...{ name: 'ticklog_log_running', help: '1 while changes are logged, else 0.', labels },
      read: () => each(({ running }) => (running ? 1 : 0)),
    },
    {
      ...{ name: 'ticklog_log_first_tick', help: 'Oldest event held; 0 for none.', labels },
      read: () => each(({ state }) => Number(state.firstTick)),
    },
    {
      ...{ name: 'ticklog_log_last_tick', help: 'Newest event; 0 for none.', labels },
      read: () => each(({ state }) => Number(state.lastTick)),
    },
    {
      ...{ name: 'ticklog_log_events', help: 'Events held.', labels },
      read: () => each(({ state }) => state.events),
    },
    {
      ...{ name: 'ticklog_log_bytes', help: 'Lines of the events held.', labels },
      read: () => each(({ state }) => state.bytes),
    },
  ]);
  addCounters(registry, [
    {
      ...{ name: 'ticklog_log_events_total', help: 'Events logged since the start.', labels },
      read: () => each(({ totalEvents }) => totalEvents),
    },
  ]);
}

function addClients(
  registry: Registry,
  { catalogue, leader }: { catalogue: Catalogue; leader: Leader },
): void {
  const each = (of: (client: ClientStanding, database: Database) => number): Reading =>
    catalogue.databases.flatMap((database) =>
      leader
        .clients(database)
        .slice(-CLIENTS_SHOWN)
        .map(
          (client) =>
            [{ database: database.name, client: client.serverId }, of(client, database)] as const,
        ),
    );
  const labels = ['database', 'client'];
  addGauges(registry, [
    {
      name: 'ticklog_log_client_position_tick',
      help: 'The tick behind which a follower has asked last: what it says to have.',
      labels,
      read: () => each(({ from }) => Number(from)),
    },
    {
      name: 'ticklog_log_client_lag_ticks',
      help: 'Ticks between that and the end of the log.',
      labels,
      read: () => each(({ from }, { changelog }) => lag(changelog.state.lastTick, from)),
    },
    {
      name: 'ticklog_log_client_last_seen_timestamp_seconds',
      help: 'When a follower has asked last, in seconds since 1970.',
      labels,
      read: () => each(({ timeMs }) => timeMs / 1000),
    },
    {
      name: 'ticklog_log_client_retained_bytes',
      help: 'Bytes of the log that stay for a follower.',
      labels,
      read: () => each(({ retainedBytes }) => retainedBytes),
    },
    {
      name: 'ticklog_log_client_headroom_ratio',
      help: 'How far a follower is from losing its place: 1 at the end of the log, 0 when it is lost.',
      labels,
      read: () => each(({ headroom }) => headroom),
    },
    {
      name: 'ticklog_log_client_lost',
      help: '1 where the log no longer has what a follower would have to read next, else 0.',
      labels,
      read: () => each(({ lost }) => (lost ? 1 : 0)),
    },
  ]);
}

function lag(last: bigint, from: bigint): number {
  return last > from ? Number(last - from) : 0;
}
