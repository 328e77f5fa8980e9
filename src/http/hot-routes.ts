import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Catalogue } from '../documents/catalogue.ts';
import { SYSTEM_DATABASE } from '../documents/database.ts';
import { Header } from '../protocol/headers.ts';
import type { Query } from '../protocol/params.ts';
import { dropRestOfBody } from './body.ts';
import type { ApiRouter, ExchangeHandler, RequestLimits } from './context.ts';
import type { DocumentHandlers } from './document-handlers.ts';
import type { ErrorAnswers } from './errors.ts';
import type { Gate } from './gate.ts';
import type { Generation } from './generation.ts';
import { HotExchange } from './hot-exchange.ts';
import type { RequestFigures, RouteFigures } from './request-figures.ts';
import { givenRequestId } from './request-id.ts';
import { statusOf } from './respond.ts';
import { type RouteRight, rightOfRoute } from './route-rights.ts';

/** By method: those with nothing behind `/_api/document`, with a collection, and with a collection and a key. */
type Table = ReadonlyMap<string, HotRoute>;

interface HotRoute {
  readonly handler: ExchangeHandler;
  /** What it takes where clients say who they are. */
  readonly right: RouteRight;
  readonly figures: RouteFigures;
}

/** What a method and a plainly spelled URL say. */
interface Target {
  readonly method: string;
  readonly url: string;
  readonly route: HotRoute;
  readonly databaseName: string;
  readonly path: string;
  readonly query: Query;
  readonly params: { readonly collection: string | undefined; readonly key: string | undefined };
}

/** Names that mean themselves: nothing in them is escaped. */
const PLAIN_URL =
  /^(?:\/_db\/([\w-]+))?(\/_api\/(?:(document)(?:\/([\w-]+)(?:\/([\w:.-]+))?)?|replication\/[\w-]+))(?:\?([\w:.~=&-]*))?$/;
const NO_QUERY: Query = {};

/**
 * Answers, in front of koa's chain, the requests that there are most of: those about one document, and those for
 * pages of the log, when all of the request is spelled plainly. Whatever else comes is left to koa, whose routes call the same handlers, so
 * that answers are the same either way.
 */
export class HotRoutes {
  readonly #catalogue: Catalogue;
  readonly #errors: ErrorAnswers;
  readonly #gate: Gate | undefined;
  readonly #limits: RequestLimits;
  readonly #generation: Generation;
  readonly #tables: readonly [bare: Table, ofCollection: Table, ofKey: Table];
  /** Of other APIs, by method and path. */
  readonly #others: Table;
  /** Who writes documents one by one asks with the same URL again and again, as all his neighbours may. */
  #lastTarget: Target | undefined;
  /** Clients ask with the same few queries again and again. */
  #lastQuery: { readonly text: string; readonly query: Query } = { text: '', query: NO_QUERY };

  constructor(
    deps: {
      catalogue: Catalogue;
      handlers: DocumentHandlers;
      errors: ErrorAnswers;
      /** Undefined where everybody may do everything. */
      gate: Gate | undefined;
      routers: readonly ApiRouter[];
      requests: RequestFigures;
    },
    options: { limits: RequestLimits; generation: Generation },
  ) {
    this.#catalogue = deps.catalogue;
    this.#errors = deps.errors;
    this.#gate = deps.gate;
    this.#limits = options.limits;
    this.#generation = options.generation;
    const { requests } = deps;
    const others = deps.routers.flatMap(({ hot }) => [...(hot ?? [])]);
    this.#others = new Map(
      others.map(([name, handler]) => [name, hotRoute(requests, name, handler)]),
    );
    const { handlers } = deps;
    const { actions } = handlers;
    const read: ExchangeHandler = (exchange) => actions.read(exchange);
    this.#tables = [
      hotTable(requests, '/_api/document', { POST: (exchange) => handlers.insert(exchange) }),
      hotTable(requests, '/_api/document/:collection', {
        POST: (exchange) => handlers.insertInto(exchange),
      }),
      hotTable(requests, '/_api/document/:collection/:key', {
        GET: read,
        HEAD: read,
        PUT: (exchange) => actions.replace(exchange),
        PATCH: (exchange) => actions.update(exchange),
        DELETE: (exchange) => actions.remove(exchange),
      }),
    ];
  }

  /** Answers a request, now or later. @returns false when it is left to others, and nothing has been done */
  take(req: IncomingMessage, res: ServerResponse): boolean {
    const target = this.#targetOf(req.method ?? '', req.url ?? '');
    if (!target || req.headers[Header.async] !== undefined) return false;
    const { route, databaseName, path, query, params } = target;
    const database = this.#catalogue.find(databaseName);
    if (!database) return false;
    // Who may not is told so by the routes behind.
    if (this.#gate !== undefined && !this.#gate.allows(req, databaseName, route.right))
      return false;
    const beganMs = performance.now();
    const state = {
      database,
      limits: this.#limits,
      generation: this.#generation,
      gate: this.#gate,
    };
    const exchange = new HotExchange(req, res, { path, query, params, state });
    if (req.headers[Header.requestId] !== undefined) {
      const id = givenRequestId(req.headers);
      if (id !== undefined) exchange.set(Header.requestId, id);
    }
    void this.#answer(exchange, route, beganMs);
    return true;
  }

  /** Undefined when it is left to others. */
  #targetOf(method: string, url: string): Target | undefined {
    const last = this.#lastTarget;
    if (last?.url === url && last.method === method) return last;
    const found = PLAIN_URL.exec(url);
    if (!found) return undefined;
    const [, databaseName = SYSTEM_DATABASE, path = '', api, collection, key, queryText] = found;
    const table = this.#tables[key !== undefined ? 2 : collection !== undefined ? 1 : 0];
    const route = api === undefined ? this.#others.get(`${method} ${path}`) : table.get(method);
    const query = route && this.#queryOf(queryText);
    if (!query) return undefined;
    const target = { method, url, route, databaseName, path, query, params: { collection, key } };
    if (key === undefined) this.#lastTarget = target;
    return target;
  }

  /** Never rejects. */
  async #answer(exchange: HotExchange, route: HotRoute, beganMs: number): Promise<void> {
    try {
      try {
        await route.handler(exchange);
      } catch (error) {
        this.#errors.answer(exchange, error);
      }
      dropRestOfBody(exchange);
      exchange.send();
      route.figures.answered(statusOf(exchange), beganMs);
    } catch (error) {
      this.#errors.logLate(error);
      exchange.res.destroy();
    }
  }

  /** Undefined for one that is not plain: without values, or with a name twice. */
  #queryOf(text: string | undefined): Query | undefined {
    if (text === undefined || text === '') return NO_QUERY;
    if (this.#lastQuery.text === text) return this.#lastQuery.query;
    const query: Record<string, string> = {};
    for (const pair of text.split('&')) {
      const equals = pair.indexOf('=');
      const name = pair.slice(0, equals);
      if (equals < 1 || Object.hasOwn(query, name) || name in Object.prototype) return undefined;
      query[name] = pair.slice(equals + 1);
    }
    this.#lastQuery = { text, query };
    return query;
  }
}

/** The routes of one path, by method. */
function hotTable(
  requests: RequestFigures,
  path: string,
  handlers: Readonly<Record<string, ExchangeHandler>>,
): Table {
  return new Map(
    Object.entries(handlers).map(([method, handler]) => [
      method,
      hotRoute(requests, `${method} ${path}`, handler),
    ]),
  );
}

/** @param name method and path, as in the table of rights; a route that is not there is for administrators */
function hotRoute(requests: RequestFigures, name: string, handler: ExchangeHandler): HotRoute {
  const [method = '', path = ''] = name.split(' ');
  const figures = requests.of(method, path);
  return { handler, right: rightOfRoute(method, path) ?? 'admin', figures };
}
