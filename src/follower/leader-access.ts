import { ServiceError } from '../model/errors.ts';
import type { Endpoint } from './endpoint.ts';
import type { TlsTrust } from './leader-tls.ts';

/** Which leaders this server may connect to, and how it makes sure of them. */
export interface LeaderAccess {
  /** Empty for any. */
  readonly allowed: readonly EndpointPattern[];
  readonly tls: TlsTrust;
}

/** Leaders by host and port. */
export interface EndpointPattern {
  /** In lower case, IPv6 in brackets. `*` stands for any host, `*.` before a name for all hosts below it. */
  readonly host: string;
  /** Undefined for any. */
  readonly port: number | undefined;
}

/** Any leader, whose certificate is checked as everybody does. */
export const ANY_LEADER: LeaderAccess = { allowed: [], tls: {} };

/** @throws ServiceError forbidden (403/11) for an endpoint that this server may not connect to */
export function assertAllowed({ allowed }: LeaderAccess, endpoint: Endpoint): void {
  if (allowed.length === 0) return;
  const { hostname, port, protocol } = new URL(endpoint.origin);
  const number = port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port);
  if (allowed.some((pattern) => matches(pattern, hostname, number))) return;
  throw new ServiceError(
    'forbidden',
    `this server may not connect to ${endpoint.text}: --replication.allow-endpoints does not have it`,
  );
}

function matches(pattern: EndpointPattern, host: string, port: number): boolean {
  if (pattern.port !== undefined && pattern.port !== port) return false;
  if (pattern.host === '*') return true;
  if (pattern.host.startsWith('*.')) return host.endsWith(pattern.host.slice(1));
  return pattern.host === host;
}
