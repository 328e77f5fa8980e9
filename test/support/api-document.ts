import parsed from '../../api-spec/openapi.yaml';

/** What the tests use of api-spec/openapi.yaml. */
export interface ApiDocument {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly components: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly 'x-every-answer': { readonly headers: Readonly<Record<string, unknown>> };
  readonly 'x-other-requests': {
    readonly options: Reference;
    readonly accepted: Reference;
    readonly unauthorized: Reference;
    readonly forbidden: Reference;
    readonly refusals: Readonly<Record<string, Reference>>;
    readonly unread: Readonly<Record<string, Reference>>;
  };
}

export interface Reference {
  readonly $ref: string;
}

export interface ApiOperation {
  readonly operationId: string;
  readonly requestBody?: unknown;
  readonly responses: Readonly<Record<string, unknown>>;
}

/** A media type of an answer or a body. */
export interface ApiContent {
  readonly schema: unknown;
  readonly example?: unknown;
  /** The headers of an answer of this type, in place of those of the response. */
  readonly 'x-headers'?: Readonly<Record<string, unknown>>;
}

export interface ApiResponse {
  readonly description: string;
  readonly headers?: Readonly<Record<string, unknown>>;
  readonly content?: Readonly<Record<string, ApiContent>>;
}

export interface ApiHeader {
  readonly required?: boolean;
  readonly schema: unknown;
}

/** An operation of the document, such as `GET /_api/document/{collection}/{key}`. */
export interface NamedOperation {
  readonly name: string;
  readonly operation: ApiOperation;
}

const METHODS: ReadonlySet<string> = new Set(['get', 'put', 'post', 'delete', 'patch']);
const REPLICATION = '/_api/replication';
const DATABASE_PREFIX = /^\/_db\/[^/]*/;

/** The document as parsed. */
export const apiDocument = parsed as ApiDocument;

/** The value behind a `$ref`, or the value itself where it is none. */
export function resolved<T>(value: unknown): T {
  if (typeof value !== 'object' || value === null || !('$ref' in value)) return value as T;
  let found: unknown = apiDocument;
  for (const name of String(value.$ref).slice('#/'.length).split('/')) {
    found = (found as Record<string, unknown> | undefined)?.[name];
  }
  if (found === undefined) throw new Error(`${String(value.$ref)} is not in the document`);
  return resolved<T>(found);
}

const templates = Object.entries(apiDocument.paths).map(([path, item]) => {
  const segments = path.split('/');
  const isFixed = !path.includes('{');
  return { path, item, segments, isFixed };
});

/** Every operation of the document. */
export function allOperations(): NamedOperation[] {
  return templates.flatMap(({ path, item }) =>
    Object.keys(item)
      .filter((method) => METHODS.has(method))
      .map((method) => ({
        name: `${method.toUpperCase()} ${path}`,
        operation: item[method] as ApiOperation,
      })),
  );
}

/**
 * The operation that a request addresses, by the rules that `info.description` has for prefixes,
 * slashes, HEAD, and segments behind a replication command.
 *
 * @param target path and query
 */
export function findOperation(method: string, target: string): NamedOperation | undefined {
  const path = target.replace(/\?.*$/s, '').replace(DATABASE_PREFIX, '');
  const verb = method === 'HEAD' ? 'get' : method.toLowerCase();
  if (!METHODS.has(verb)) return undefined;
  const isReplication = path === REPLICATION || path.startsWith(`${REPLICATION}/`);
  if (!isReplication) return matching(verb, path.replace(/(?<=.)\/$/, ''));
  const segments = path.split('/').filter((segment) => segment !== '');
  const whole = matching(verb, `/${segments.join('/')}`);
  return whole ?? matching(verb, `/${segments.slice(0, 3).join('/')}`);
}

function matching(verb: string, path: string): NamedOperation | undefined {
  const segments = path.split('/');
  const candidates = templates.filter(
    (template) => verb in template.item && fits(template.segments, segments),
  );
  const best = candidates.find(({ isFixed }) => isFixed) ?? candidates[0];
  if (!best) return undefined;
  return {
    name: `${verb.toUpperCase()} ${best.path}`,
    operation: best.item[verb] as ApiOperation,
  };
}

function fits(template: readonly string[], segments: readonly string[]): boolean {
  return (
    template.length === segments.length &&
    template.every((part, i) => (part.startsWith('{') ? segments[i] !== '' : part === segments[i]))
  );
}
