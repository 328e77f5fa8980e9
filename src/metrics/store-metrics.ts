import type { Registry } from 'prom-client';
import type { Catalogue } from '../documents/catalogue.ts';
import type { Collection } from '../documents/collection.ts';
import type { Maintenance } from '../documents/maintenance.ts';
import type { Store } from '../storage/store.ts';
import { type Reading, addCounters, addGauges } from './families.ts';

/** What is stored, whether it is whole, whether it can be written, and what is done to keep it small. */
export function addStoreMetrics(
  registry: Registry,
  deps: { readonly store: Store; readonly catalogue: Catalogue; readonly maintenance: Maintenance },
): void {
  addStore(registry, deps.store);
  addMaintenance(registry, deps.maintenance);
  addDocuments(registry, deps.catalogue);
}

function addStore(registry: Registry, store: Store): void {
  const size = store.size.bind(store);
  addGauges(registry, [
    {
      name: 'ticklog_store_bytes',
      help: 'Size of the files of the store.',
      read: async () => (await size()).bytes,
    },
    {
      name: 'ticklog_store_last_tick',
      help: 'Tick of the last commit.',
      read: () => Number(store.lastCommitted),
    },
    {
      name: 'ticklog_store_writes_refused',
      help: '1 while writes are refused because the store cannot be written, else 0.',
      read: () => (store.failure ? 1 : 0),
    },
  ]);
  addCounters(registry, [
    {
      name: 'ticklog_store_damage_total',
      help: 'How often a request, an applier or the background work met damaged data.',
      read: () => store.health.damage?.count ?? 0,
    },
    {
      name: 'ticklog_store_commits_total',
      help: 'Changes committed; several are written in one batch.',
      read: () => store.commits.requests,
    },
    {
      name: 'ticklog_store_batches_total',
      help: 'Batches written.',
      read: () => store.commits.batches,
    },
    {
      name: 'ticklog_store_write_seconds_total',
      help: 'Time that the writing of batches took.',
      read: () => store.commits.writeMs / 1000,
    },
    {
      name: 'ticklog_store_refused_writes_total',
      help: 'Changes that were refused because the store cannot be written.',
      read: () => store.commits.refused,
    },
  ]);
}

function addMaintenance(registry: Registry, { figures }: Maintenance): void {
  addCounters(registry, [
    {
      name: 'ticklog_compactions_total',
      help: 'Journals of collections that were merged or compacted.',
      read: () => figures.compactions,
    },
    {
      name: 'ticklog_log_removals_total',
      help: 'Times the oldest events of a log were removed, for its caps.',
      read: () => figures.removals,
    },
    {
      name: 'ticklog_log_merges_total',
      help: 'Times small blocks of a log were merged.',
      read: () => figures.merges,
    },
    {
      name: 'ticklog_maintenance_rounds_total',
      help: 'Rounds of the background work.',
      read: () => figures.rounds,
    },
    {
      name: 'ticklog_maintenance_failures_total',
      help: 'Steps of the background work that failed.',
      read: () => figures.failures,
    },
  ]);
}

function addDocuments(registry: Registry, catalogue: Catalogue): void {
  const sums = (of: (collection: Collection) => number): Reading =>
    catalogue.databases.map(({ name: database, collections }) => {
      const sum = collections.reduce((before, collection) => before + of(collection), 0);
      return [{ database }, sum];
    });
  const labels = ['database'];
  addGauges(registry, [
    {
      ...{ name: 'ticklog_collections', help: 'Collections of a database.', labels },
      read: () => sums(() => 1),
    },
    {
      ...{ name: 'ticklog_documents', help: 'Documents of a database.', labels },
      read: () => sums(({ stats }) => stats.count),
    },
    {
      ...{ name: 'ticklog_journal_bytes', help: 'Lines in the journals of a database.', labels },
      read: () => sums(({ stats }) => stats.bytes),
    },
    {
      ...{ name: 'ticklog_journal_entries', help: 'Entries in the journals.', labels },
      read: () => sums(({ stats }) => stats.entries),
    },
    {
      name: 'ticklog_journal_superseded_entries',
      help: 'Entries in the journals that are superseded, and removals; compaction takes them out.',
      labels,
      read: () => sums(({ stats }) => stats.dead),
    },
  ]);
}
