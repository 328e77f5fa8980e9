import type { Registry } from 'prom-client';
import type { ReplicationFigures } from '../follower/replication-figures.ts';
import { addCounters, addHistograms } from './families.ts';

const PREFIX = 'arangodb_replication_';

/** What all appliers and syncs have done, under the names that ArangoDB has for it, times in ms. */
export function addReplicationMetrics(registry: Registry, figures: ReplicationFigures): void {
  const { dump, keys, tailing } = figures;
  const rows: readonly (readonly [name: string, help: string, read: () => number])[] = [
    ['dump_requests_total', 'Pages of collections asked for.', () => dump.requests],
    ['dump_request_time_total', 'Time waited for them, in ms.', () => dump.requestMs],
    ['dump_bytes_received_total', 'Bytes of them.', () => dump.bytes],
    ['dump_documents_total', 'Documents in them.', () => dump.documents],
    ['dump_apply_time_total', 'Time to write them, in ms.', () => dump.applyMs],
    [
      'initial_chunks_requests_time_total',
      'Time waited for the chunks of lists of keys, in ms.',
      () => keys.chunks.requestMs,
    ],
    [
      'initial_sync_keys_requests_total',
      'Chunks of keys asked for, to be compared.',
      () => keys.keys.requests,
    ],
    ['initial_keys_requests_time_total', 'Time waited for them, in ms.', () => keys.keys.requestMs],
    [
      'initial_sync_docs_requests_total',
      'Requests for documents that a comparison of keys found to differ.',
      () => keys.docs.requests,
    ],
    ['initial_docs_requests_time_total', 'Time waited for them, in ms.', () => keys.docs.requestMs],
    ['initial_sync_docs_requested_total', 'Documents they brought.', () => keys.documents],
    [
      'initial_sync_bytes_received_total',
      'Bytes of chunks, keys and documents of comparisons.',
      () => keys.bytes,
    ],
    ['tailing_requests_total', 'Pages of the log asked for.', () => tailing.requests],
    ['tailing_request_time_total', 'Time waited for them, in ms.', () => tailing.requestMs],
    ['tailing_bytes_received_total', 'Bytes of them.', () => tailing.bytes],
    ['tailing_markers_total', 'Events of the log that were applied.', () => tailing.events],
    [
      'tailing_documents_total',
      'Documents of the log that were put in or replaced.',
      () => tailing.documents,
    ],
    ['tailing_removals_total', 'Removals of the log that were applied.', () => tailing.removals],
    ['tailing_apply_time_total', 'Time to apply them, in ms.', () => tailing.applyMs],
    [
      'tailing_follow_tick_failures_total',
      'Times the leader no longer had what came next.',
      () => tailing.lostPlaces,
    ],
    ['failed_connects_total', 'Failed attempts to reach a leader.', () => figures.failedConnects],
  ];
  addCounters(
    registry,
    rows.map(([name, help, read]) => ({ name: PREFIX + name, help, read })),
  );
  addHistograms(registry, [
    {
      name: 'ticklog_applier_page_seconds',
      help: 'Time to apply a page of the log, which is one batch or a few.',
      read: () => [[{}, figures.pageSeconds]],
    },
  ]);
}
