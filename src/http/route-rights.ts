/**
 * What it takes to send a request: nothing (`open`); to be a user (`user`), where the handler says more; the
 * right to read the database of the path (`ro`) or to write to it (`rw`); or, whatever the path, that to read
 * `_system`, which lets see figures of the whole server (`watch`), or to write to it, which makes an administrator
 * (`admin`).
 */
export type RouteRight = 'open' | 'user' | 'ro' | 'rw' | 'watch' | 'admin';

/** From the weakest to the strongest. */
const ORDER: readonly RouteRight[] = ['open', 'user', 'ro', 'rw', 'watch', 'admin'];

/**
 * The right for each route: its method, or ANY, and its path as the router has it; for commands of replication their
 * names. What a follower asks of its leader takes `ro`, also where it leaves a batch, a barrier or a list of
 * keys there for a while. Routes with ANY are those that refuse what is sent to them.
 */
const RIGHTS: ReadonlyMap<string, RouteRight> = new Map([
  ...of('open', [
    ...['POST /_open/auth', 'GET /_admin/server/availability'],
    ...['GET /_admin/ui', 'GET /_admin/ui/:file'],
  ]),
  ...of('user', [
    ...['GET /_api/database/user', 'GET /_api/user', 'GET /_api/user/:user'],
    ...['PUT /_api/user/:user', 'PATCH /_api/user/:user', 'GET /_api/user/:user/database'],
    'GET /_api/user/:user/database/:database',
    'GET /_api/user/:user/database/:database/:collection',
    ...[
      'GET /_api/job/:job',
      'GET /_api/job/:job/progress',
      'PUT /_api/job/:job',
      'DELETE /_api/job/:job',
    ],
  ]),
  ...of('admin', [
    ...['GET /_admin/log/level', 'PUT /_admin/log/level'],
    ...['POST /_api/database', 'DELETE /_api/database/:name'],
    ...['POST /_api/user', 'DELETE /_api/user/:user'],
    'PUT /_api/user/:user/database/:database',
    'DELETE /_api/user/:user/database/:database',
    'ANY /_api/user/:user/database/:database/:collection',
  ]),
  ...of('watch', ['GET /_admin/metrics', 'GET /_admin/metrics/v2']),
  ...of('ro', [
    ...[
      'GET /_api/version',
      'GET /_admin/time',
      'GET /_admin/statistics',
      'GET /_admin/statistics-description',
      'GET /_admin/server/role',
      'GET /_admin/overview',
      'GET /_admin/history',
    ],
    // Each command takes its own right besides.
    'ANY /_api/replication{/*path}',
    ...['PUT /_admin/wal/flush', 'GET /_api/database', 'GET /_api/database/current'],
    ...['GET /_api/collection', 'GET /_api/collection/:name'],
    ...['properties', 'count', 'figures', 'revision', 'checksum', 'works'].map(
      (action) => `GET /_api/collection/:name/${action}`,
    ),
    ...['load', 'unload'].map((action) => `PUT /_api/collection/:name/${action}`),
    ...['GET /_api/document', 'GET /_api/document/:collection/:key'],
    ...['GET /_api/edge', 'GET /_api/edge/:collection/:key'],
    ...['GET /_api/index', 'GET /_api/index/:collection/:id'],
    ...['PUT /_api/simple/all', 'PUT /_api/simple/by-example'],
    ...['PUT', 'POST', 'DELETE'].map((method) => `${method} /_api/cursor/:id`),
    ...['GET /_api/transaction', 'GET /_api/transaction/:id'],
    ...['GET /_api/wal/range', 'GET /_api/wal/lastTick', 'GET /_api/wal/tail'],
    ...['PUT /_api/wal/tail', 'GET /_api/wal/open-transactions'],
    ...['ANY /_api/wal', 'ANY /_api/wal/*rest', 'ANY /_api/import/*rest'],
    ...['ANY /_api/collection/:name/:action', 'ANY /_api/collection/:name/:action/*rest'],
    ...['ANY /_api/document/:collection', 'ANY /_api/document/:collection/*rest'],
    'ANY /_api/document/:collection/:key/*rest',
    ...['ANY /_api/edge/:collection', 'ANY /_api/edge/*rest'],
    'ANY /_api/edge/:collection/:key/*rest',
    ...['ANY /_api/index/:collection', 'ANY /_api/index/:collection/:id/*rest'],
    ...['ANY /_api/transaction/*rest', 'ANY /_api/transaction/:id/*rest'],
  ]),
  ...of('rw', [
    ...['POST /_api/collection', 'DELETE /_api/collection/:name'],
    ...['truncate', 'rename', 'rotate', 'properties'].map(
      (action) => `PUT /_api/collection/:name/${action}`,
    ),
    ...['POST /_api/document', 'POST /_api/document/:collection'],
    ...['PUT', 'PATCH', 'DELETE'].flatMap((method) => [
      `${method} /_api/document/:collection`,
      `${method} /_api/document/:collection/:key`,
      `${method} /_api/edge/:collection/:key`,
    ]),
    ...['POST /_api/edge', 'POST /_api/import'],
    ...['POST /_api/index', 'DELETE /_api/index/:collection/:id'],
    ...['POST /_api/transaction/begin', 'PUT /_api/transaction/:id'],
    'DELETE /_api/transaction/:id',
  ]),
  ...ofReplication('ro', [
    ...['GET server-id', 'GET inventory', 'GET clusterInventory', 'GET dump'],
    'GET dump-collections',
    ...['GET logger-state', 'GET logger-config', 'GET logger-first-tick', 'GET logger-tick-ranges'],
    ...['GET logger-follow', 'PUT logger-follow', 'GET determine-open-transactions'],
    ...['POST batch', 'PUT batch', 'DELETE batch'],
    ...['GET barrier', 'POST barrier', 'PUT barrier', 'DELETE barrier'],
    ...['POST keys', 'GET keys', 'PUT keys', 'DELETE keys'],
    ...['GET applier-config', 'GET applier-state'],
  ]),
  ...ofReplication('rw', [
    ...['PUT logger-start', 'PUT logger-stop', 'PUT logger-config', 'DELETE logger-state'],
    ...['PUT applier-config', 'PUT applier-start', 'PUT applier-stop', 'DELETE applier-state'],
    ...['PUT check-leader', 'PUT sync', 'PUT make-slave', 'PUT make-follower'],
    ...['PUT restore-collection', 'PUT restore-indexes', 'PUT restore-data', 'PUT restore-view'],
    ...['PUT mend-data', 'PUT verify'],
  ]),
]);

/**
 * The right that a route takes, undefined for one that has none in the table: who asks for a request must
 * refuse it then to all but administrators.
 * @param path as the router has it
 */
export function rightOfRoute(method: string, path: string): RouteRight | undefined {
  const verb = method === 'HEAD' ? 'GET' : method;
  return RIGHTS.get(`${verb} ${path}`) ?? RIGHTS.get(`ANY ${path}`);
}

/** The right that a command below `/_api/replication` takes; undefined as in `rightOfRoute`. */
export function rightOfCommand(method: string, command: string): RouteRight | undefined {
  return RIGHTS.get(replicationRoute(`${method} ${command}`));
}

/** The strongest of several. */
export function strongest(rights: readonly RouteRight[]): RouteRight {
  return ORDER[Math.max(0, ...rights.map((right) => ORDER.indexOf(right)))] ?? 'admin';
}

function of(right: RouteRight, routes: readonly string[]): [string, RouteRight][] {
  return routes.map((route) => [route, right]);
}

function ofReplication(right: RouteRight, commands: readonly string[]): [string, RouteRight][] {
  return of(right, commands.map(replicationRoute));
}

function replicationRoute(methodAndCommand: string): string {
  return methodAndCommand.replace(' ', ' /_api/replication/');
}
