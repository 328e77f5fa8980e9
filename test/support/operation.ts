import type { Answer, HttpClient, Method } from '../../bench/support/http-client.ts';
import type { FoundServer } from './server-reading.ts';

/** An answer with its JSON. */
export interface JsonAnswer {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

/** One request to a leader, and what follows from an answer to it, or from none. */
export interface Operation {
  readonly method: Method;
  readonly path: string;
  readonly body?: string;
  /** Takes note of what the answer says. @throws Error when it cannot be right */
  readonly answered: (answer: JsonAnswer) => void;
  /**
   * There was no answer: finds out from what the leader holds now whether it has been done, and takes note of
   * it if so. What must have been done with it is for others to compare.
   */
  readonly unanswered: (found: FoundServer) => void;
}

const SHUTTING_DOWN = 503;

/** @returns undefined when there is no answer, or none but that the server is going down */
export async function send(
  http: HttpClient,
  { method, path, body }: Operation,
): Promise<JsonAnswer | undefined> {
  let answer: Answer;
  try {
    answer = await http.request(method, path, body);
  } catch {
    // Whether there may be none is known to the caller, who knows what is done to the server.
    return undefined;
  }
  if (answer.status === SHUTTING_DOWN) return undefined;
  const text = answer.body.toString('utf8');
  return { status: answer.status, body: JSON.parse(text) as JsonAnswer['body'] };
}

/** @throws Error unless the answer is a success */
export function assertSuccess(answer: JsonAnswer, what: string): void {
  if (answer.status >= 200 && answer.status <= 299) return;
  throw new Error(`${what} was answered ${answer.status}: ${JSON.stringify(answer.body)}`);
}

/** @throws Error unless the answer is a refusal with this number */
export function assertRefused(answer: JsonAnswer, errorNum: number, what: string): void {
  if (answer.status >= 400 && answer.body['errorNum'] === errorNum) return;
  const said = JSON.stringify(answer.body).slice(0, 500);
  throw new Error(`${what} was answered ${answer.status} and not with error ${errorNum}: ${said}`);
}

/** `?a=1&b=2`, without what is undefined. */
export function query(parameters: Readonly<Record<string, string | boolean | undefined>>): string {
  const given = Object.entries(parameters).flatMap(([name, value]): [string, string][] =>
    value === undefined ? [] : [[name, String(value)]],
  );
  return given.length === 0 ? '' : `?${new URLSearchParams(given).toString()}`;
}
