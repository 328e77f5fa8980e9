import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import {
  type ApiContent,
  type ApiHeader,
  type ApiResponse,
  type NamedOperation,
  apiDocument,
  findOperation,
  resolved,
} from './api-document.ts';

/** What a server answered. */
export interface CheckedAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
}

/** Headers that the document must have when an answer has them; of the others it says nothing. */
const OWN_HEADERS = /^(?:x-.*|location|etag|allow)$/;
const FAULTS_SHOWN = 8;
const BODY_SHOWN = 1000;

const ajv = new Ajv2020({
  strict: true,
  // A schema may add rules to one that it refers to.
  strictTypes: false,
  strictRequired: false,
  validateSchema: false,
  allErrors: true,
  // Each schema is compiled once, not wherever it is referred to.
  inlineRefs: false,
});
const compiled = new Map<unknown, ValidateFunction>();

/**
 * Checks an answer against api-spec/openapi.yaml: path, method and status are known, the headers of
 * the status are there and no other own ones, the body has its type and shape. Where the document
 * does not have path and method, the answer must be one of those that refuse such a request. Where the connection
 * is closed behind it, it may be one to a request that could not be read.
 *
 * @param target path and query of the request
 * @throws Error that says what is wrong
 */
export function checkAnswer(method: string, target: string, answer: CheckedAnswer): void {
  const found = findOperation(method, target);
  const faults = faultsOf(method, found, answer);
  if (faults.length === 0) return;
  const shown = faults.slice(0, FAULTS_SHOWN).map((fault) => `\n  ${fault}`);
  const name = found?.name ?? 'requests that it does not have';
  throw new Error(
    `${method} ${target} was answered ${answer.status}, not as api-spec/openapi.yaml says of ${name}:` +
      `${shown.join('')}\nThe body is ${answer.text.slice(0, BODY_SHOWN)}`,
  );
}

function faultsOf(
  method: string,
  found: NamedOperation | undefined,
  answer: CheckedAnswer,
): string[] {
  const unread = apiDocument['x-other-requests'].unread[answer.status];
  if (unread && (isUnread(answer) || answer.headers['connection'] === 'close')) {
    const response = resolved<ApiResponse>(unread);
    const faults = [...headerFaults(response, answer), ...bodyFaults(method, response, answer)];
    if (faults.length === 0) return faults;
  }
  // What is fetched there is the answer to another request.
  const isFetched = found?.operation.operationId === 'fetchJob';
  const anywhere = isFetched ? undefined : answerOfAny(answer);
  const response = anywhere
    ? resolved<ApiResponse>(apiDocument['x-other-requests'][anywhere])
    : found
      ? responseOf(found, answer.status)
      : otherResponseOf(method, answer.status);
  if (response) return [...headerFaults(response, answer), ...bodyFaults(method, response, answer)];
  if (found) return [`the status is not among those of ${found.operation.operationId}`];
  return ['the path or its method is missing there, and only a refusal would do'];
}

/** Statuses that nothing but the head of a request has. */
function isUnread({ status }: CheckedAnswer): boolean {
  return status === 414 || status === 417;
}

/** Of which kind an answer is that any request can have. */
function answerOfAny(answer: CheckedAnswer): 'accepted' | 'unauthorized' | 'forbidden' | undefined {
  if (isAccepted(answer)) return 'accepted';
  if (answer.status === 401) return 'unauthorized';
  return answer.status === 403 && /"errorNum":11\b/.test(answer.text) ? 'forbidden' : undefined;
}

/** Whether the request runs on by itself: no other answer with this status has no body. */
function isAccepted({ status, text }: CheckedAnswer): boolean {
  return status === 202 && text === '';
}

function responseOf({ operation }: NamedOperation, status: number): ApiResponse | undefined {
  const { responses } = operation;
  return resolved<ApiResponse | undefined>(responses[status] ?? responses['default']);
}

function otherResponseOf(method: string, status: number): ApiResponse | undefined {
  const { options, refusals } = apiDocument['x-other-requests'];
  if (method === 'OPTIONS' && status === 200) return resolved<ApiResponse>(options);
  return resolved<ApiResponse | undefined>(refusals[status]);
}

function headerFaults(response: ApiResponse, answer: CheckedAnswer): string[] {
  const ofType = response.content?.[typeOf(answer)]?.['x-headers'];
  const documented = {
    ...apiDocument['x-every-answer'].headers,
    ...(ofType ?? response.headers),
  };
  const faults = Object.keys(answer.headers)
    .filter((name) => OWN_HEADERS.test(name) && !(name in documented))
    .map((name) => `header ${name} is not documented`);
  for (const [name, given] of Object.entries(documented)) {
    const header = resolved<ApiHeader>(given);
    const value = answer.headers[name];
    if (value !== undefined) faults.push(...headerValueFaults(name, header, String(value)));
    else if (header.required === true) faults.push(`header ${name} is missing`);
  }
  return faults;
}

function headerValueFaults(name: string, { schema }: ApiHeader, text: string): string[] {
  const { type } = resolved<{ type?: unknown }>(schema);
  const value = type === 'boolean' || type === 'integer' ? asJson(text) : text;
  return schemaFaults(schema, value).map((fault) => `header ${name}: ${text}${fault}`);
}

function bodyFaults(
  method: string,
  { content }: ApiResponse,
  { text, headers }: CheckedAnswer,
): string[] {
  if (method === 'HEAD') return text === '' ? [] : ['a HEAD has no body'];
  const contentType = headers['content-type'];
  if (!content) {
    return text === '' && contentType === undefined ? [] : ['there is a body, or a type of one'];
  }
  const type = typeOf({ headers });
  const found = content[type];
  if (found) return contentFaults(type, found, text);
  const expected = Object.keys(content).join(' or ');
  return [`the content type is ${String(contentType)}, not ${expected} in UTF-8`];
}

/** The media type of an answer in UTF-8; empty for any other. */
function typeOf({ headers }: Pick<CheckedAnswer, 'headers'>): string {
  const named = /^([^;]*)(?:; version=[\d.]+)?; charset=utf-8$/.exec(
    String(headers['content-type']),
  );
  return named?.[1] ?? '';
}

/** What is wrong with the text of a body, or of an example of one. */
export function contentFaults(type: string, { schema }: ApiContent, text: string): string[] {
  if (type === 'application/json') {
    const value = asJson(text);
    if (value === undefined) return ['the body is no JSON'];
    return schemaFaults(schema, value).map((fault) => `body${fault}`);
  }
  const faults = schemaFaults(schema, text).map((fault) => `body${fault}`);
  const { contentSchema } = resolved<{ contentSchema?: unknown }>(schema);
  if (contentSchema === undefined) return faults;
  const lines = text.split('\n');
  if (lines.pop() !== '') faults.push('the last line does not end with a newline');
  const lineFaults = schemaFaults(contentSchema, lines.map(asJson));
  return [...faults, ...lineFaults.map((fault) => `lines${fault}`)];
}

/** What a schema of the document has against a value. */
export function schemaFaults(schema: unknown, value: unknown): string[] {
  const validate = validatorOf(schema);
  if (validate(value)) return [];
  return (validate.errors ?? []).map(({ instancePath, message, params }) => {
    return `${instancePath} ${message ?? 'is wrong'} ${JSON.stringify(params)}`;
  });
}

/** Compiled when it is first needed. */
function validatorOf(schema: unknown): ValidateFunction {
  const known = compiled.get(schema);
  if (known) return known;
  if (compiled.size === 0) {
    ajv.addSchema({ $defs: withDefinitions(apiDocument.components['schemas']) }, 'schemas');
  }
  const made = ajv.compile(withDefinitions(schema));
  compiled.set(schema, made);
  return made;
}

/** The schema with references to where its validator has the schemas of the document. */
function withDefinitions(schema: unknown): object {
  const text = JSON.stringify(schema).replaceAll('"#/components/schemas/', '"schemas#/$defs/');
  return JSON.parse(text) as object;
}

/** Undefined for what is no JSON. */
function asJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    // The caller says what is wrong.
    return undefined;
  }
}
