import { Histogram } from '../base/histogram.ts';

const SECONDS = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 30, 60,
];
const METHODS: ReadonlySet<string> = new Set([
  ...['DELETE', 'GET', 'HEAD', 'OPTIONS', 'PATCH', 'POST', 'PUT'],
]);

/** What is known of the requests of one method to one route. */
export class RouteFigures {
  readonly method: string;
  /** As the router has it, such as `/_api/document/:collection/:key`. */
  readonly route: string;
  /** From the end of the head to the answer, in seconds. */
  readonly seconds = new Histogram(SECONDS);
  /** By status. */
  readonly statuses = new Map<number, number>();

  constructor(method: string, route: string) {
    this.method = method;
    this.route = route;
  }

  /** @param beganMs as `performance.now()` */
  answered(status: number, beganMs: number): void {
    this.seconds.add((performance.now() - beganMs) / 1000);
    this.statuses.set(status, (this.statuses.get(status) ?? 0) + 1);
  }
}

/**
 * Counts requests by method and route: by what the router has, never by what a client has written, so that there
 * are only so many.
 */
export class RequestFigures {
  readonly #routes = new Map<string, RouteFigures>();
  /** Requests that were answered 202 at once. */
  detached = 0;

  /** @param route undefined for a request that no route has taken */
  of(method: string, route: string | undefined): RouteFigures {
    const verb = METHODS.has(method) ? method : 'OTHER';
    const name = `${verb} ${route ?? ''}`;
    const known = this.#routes.get(name);
    if (known) return known;
    const made = new RouteFigures(verb, route ?? 'none');
    this.#routes.set(name, made);
    return made;
  }

  /** All that were asked for at least once. */
  get routes(): readonly RouteFigures[] {
    return [...this.#routes.values()].filter(({ statuses }) => statuses.size > 0);
  }
}
