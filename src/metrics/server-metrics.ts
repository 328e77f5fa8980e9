import { Registry } from 'prom-client';
import { processFigures } from '../base/process-figures.ts';
import type { Catalogue } from '../documents/catalogue.ts';
import type { Maintenance } from '../documents/maintenance.ts';
import type { Appliers } from '../follower/appliers.ts';
import type { ReplicationFigures } from '../follower/replication-figures.ts';
import type { RequestFigures } from '../http/request-figures.ts';
import type { Leader } from '../leader/leader.ts';
import type { Store } from '../storage/store.ts';
import { addApplierMetrics } from './applier-metrics.ts';
import { type Reading, addCounters, addGauges, addHistograms } from './families.ts';
import { addLogMetrics } from './log-metrics.ts';
import { addReplicationMetrics } from './replication-metrics.ts';
import { addStoreMetrics } from './store-metrics.ts';

export interface ServerMetricsDeps {
  readonly store: Store;
  readonly catalogue: Catalogue;
  readonly maintenance: Maintenance;
  readonly leader: Leader;
  readonly appliers: Appliers;
  readonly replication: ReplicationFigures;
  readonly requests: RequestFigures;
}

/**
 * All that is measured, in the format of Prometheus. Nothing is done for it before somebody asks: everything is
 * read then, from plain numbers that are counted anyway.
 */
export class ServerMetrics {
  readonly #registry = new Registry();

  constructor(deps: ServerMetricsDeps, options: { version: string; compatibleVersion: string }) {
    const registry = this.#registry;
    const { version, compatibleVersion } = options;
    addGauges(registry, [
      {
        name: 'ticklog_info',
        help: 'Which server this is; always 1.',
        labels: ['version', 'compatible_version', 'server_id'],
        read: () => {
          const { serverId } = deps.store.server;
          return [
            [{ version, compatible_version: compatibleVersion, server_id: serverId }, 1],
          ] as const;
        },
      },
    ]);
    addLogMetrics(registry, deps);
    addApplierMetrics(registry, deps.appliers);
    addReplicationMetrics(registry, deps.replication);
    addStoreMetrics(registry, deps);
    addRequests(registry, deps.requests);
    addProcess(registry);
  }

  /** The content type of `text`. */
  get contentType(): string {
    return this.#registry.contentType;
  }

  text(): Promise<string> {
    return this.#registry.metrics();
  }
}

function addRequests(registry: Registry, requests: RequestFigures): void {
  addCounters(registry, [
    {
      name: 'ticklog_http_requests_total',
      help: 'Requests answered, by method, route and status: 499 for clients that were gone, 4xx for what clients did wrong even where they are sent a 500, and 424 for what failed at a leader.',
      labels: ['method', 'route', 'status'],
      read: (): Reading =>
        requests.routes.flatMap(({ method, route, statuses }) =>
          [...statuses].map(([status, count]) => [{ method, route, status }, count] as const),
        ),
    },
    {
      name: 'ticklog_http_detached_requests_total',
      help: 'Requests that were answered 202 at once and ran on by themselves.',
      read: () => requests.detached,
    },
  ]);
  addHistograms(registry, [
    {
      name: 'ticklog_http_request_seconds',
      help: 'Time to the answer, by method and route; that of logger-follow includes waiting for news.',
      read: () =>
        requests.routes.map(({ method, route, seconds }) => [{ method, route }, seconds] as const),
    },
  ]);
}

/** Under the names that programs of this kind have for it everywhere. */
function addProcess(registry: Registry): void {
  addCounters(registry, [
    {
      name: 'process_cpu_seconds_total',
      help: 'Processor time, of the system and of the program.',
      read: () => {
        const { userSeconds, systemSeconds } = processFigures();
        return userSeconds + systemSeconds;
      },
    },
  ]);
  addGauges(registry, [
    {
      name: 'process_resident_memory_bytes',
      help: 'Memory of the process.',
      read: () => processFigures().residentBytes,
    },
    {
      name: 'process_start_time_seconds',
      help: 'When the process was started, in seconds since 1970.',
      read: () => processFigures().startedSeconds,
    },
    {
      name: 'nodejs_heap_size_used_bytes',
      help: 'Memory that is in use for objects.',
      read: () => processFigures().heapBytes,
    },
    {
      name: 'nodejs_external_memory_bytes',
      help: 'Memory of buffers and of the store.',
      read: () => processFigures().externalBytes,
    },
    {
      name: 'nodejs_eventloop_utilization_ratio',
      help: 'Share of its time that the event loop was busy, since the start.',
      read: () => processFigures().busyShare,
    },
  ]);
}
