import { ServiceError } from '../model/errors.ts';
import { textAt } from './json.ts';
import type { ServerClient } from './server-client.ts';

/** The version a server claims. */
export interface Version {
  readonly text: string;
  /** What the server is, see `versionTitle`. */
  readonly title: string;
  readonly major: number;
  readonly minor: number;
  /** Whether it is a server of this program, whatever version it claims to be compatible with. */
  readonly isTicklog: boolean;
}

/**
 * Asks a server for its version (contract 9.1).
 *
 * @param endpoint for the message
 * @throws ServiceError invalidResponse (1401) when it is no server of this kind; as ServerClient
 */
export async function serverVersion(
  client: ServerClient,
  endpoint: string,
  signal: AbortSignal,
): Promise<Version> {
  const answer = await client.get('/_api/version', signal, { details: true });
  const text = textAt(answer, 'version') ?? '';
  const [, major, minor] = /^(\d+)\.(\d+)/.exec(text) ?? [];
  if (textAt(answer, 'server') !== 'arango' || major === undefined || minor === undefined) {
    throw new ServiceError(
      'invalidResponse',
      `what answers at ${endpoint} is no server of this kind`,
    );
  }
  const ticklog = textAt(answer, 'details', 'ticklog');
  return {
    text,
    title: versionTitle(text, ticklog),
    major: Number(major),
    minor: Number(minor),
    isTicklog: ticklog !== undefined,
  };
}

/** What a server is, in words: `version 3.4.5`, or `ticklog 1.2.3 (speaks 1.4.3)`. */
export function versionTitle(version: string, ticklog: string | undefined): string {
  return ticklog === undefined ? `version ${version}` : `ticklog ${ticklog} (speaks ${version})`;
}

/** Whether a version is at least `major.minor`. */
export function isAtLeast(version: Version, major: number, minor: number): boolean {
  return version.major > major || (version.major === major && version.minor >= minor);
}
