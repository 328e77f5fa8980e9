import { Histogram } from '../base/histogram.ts';

const PAGE_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** What all appliers and syncs of a server have done since it was started. Times in ms. */
export class ReplicationFigures {
  /** Pages of collections. */
  readonly dump = { requests: 0, requestMs: 0, bytes: 0, documents: 0, removals: 0, applyMs: 0 };
  /** Lists of keys, which are compared with what is here: their chunks, the keys of one, and documents that differ. */
  readonly keys = {
    ...{ chunks: { requests: 0, requestMs: 0 }, keys: { requests: 0, requestMs: 0 } },
    ...{ docs: { requests: 0, requestMs: 0 }, bytes: 0, documents: 0 },
  };
  /** Pages of the log. `lostPlaces`: times the leader no longer had what came next. */
  readonly tailing = {
    ...{ requests: 0, requestMs: 0, bytes: 0, applyMs: 0, lostPlaces: 0 },
    ...{ events: 0, documents: 0, removals: 0 },
  };
  /** How long it took to apply each page of the log, in seconds. */
  readonly pageSeconds = new Histogram(PAGE_SECONDS);
  failedConnects = 0;
}
