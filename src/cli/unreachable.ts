import { tlsReason } from '../follower/leader-tls.ts';
import { cureInMessage } from '../model/error-words.ts';

const NOBODY_THERE =
  'Nothing listens there: start the server (ticklog serve), or correct the endpoint.';

/** The same where nobody has named an endpoint. */
const DEFAULT_CURE =
  'Nothing listens there, and it was asked because no other server was named: name yours with --server.endpoint, or ' +
  'start one (ticklog serve).';

/** What to do when a server gives no answer, by the code of the failure. */
const CURES: readonly { readonly codes: readonly string[]; readonly cure: string }[] = [
  {
    codes: ['ECONNREFUSED'],
    cure: NOBODY_THERE,
  },
  {
    codes: ['ENOTFOUND', 'EAI_AGAIN'],
    cure: 'Correct the name of the host, or see that this machine can look it up.',
  },
  {
    codes: ['UND_ERR_CONNECT_TIMEOUT', 'EHOSTUNREACH', 'ENETUNREACH', 'ETIMEDOUT'],
    cure: 'Check the host, the port, and the network between.',
  },
  {
    codes: [
      ...['DEPTH_ZERO_SELF_SIGNED_CERT', 'SELF_SIGNED_CERT_IN_CHAIN'],
      ...['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY'],
    ],
    cure: 'Name the file of those who vouch for its certificate with --ssl.cafile.',
  },
  {
    codes: ['ERR_TLS_CERT_ALTNAME_INVALID'],
    cure: 'Use a name that is in its certificate.',
  },
];

/**
 * What to tell of a connection that came to nothing: a line that says what it is and, if it is known, one that says what to do.
 * @param isDefault whether it is the endpoint that is asked because none was given
 */
export function describeUnreachable(endpoint: string, cause: unknown, isDefault = false): string[] {
  if (!(cause instanceof Error)) return [`no answer from ${endpoint}`];
  const code = codeOf(cause);
  const reason = tlsReason(cause) ?? (cause.message || code || cause.name);
  const cure =
    cureInMessage(reason) ??
    CURES.find(({ codes }) => codes.includes(code))?.cure ??
    cureOfClosing(endpoint, code);
  const told = isDefault && cure === NOBODY_THERE ? DEFAULT_CURE : cure;
  return [`no answer from ${endpoint}: ${reason}`, ...(told === undefined ? [] : [told])];
}

/** A server with TLS closes connections of those who speak plainly. */
function cureOfClosing(endpoint: string, code: string): string | undefined {
  const isClosed = code === 'UND_ERR_SOCKET' || code === 'ECONNRESET';
  if (!isClosed || !/^(?:tcp|http):/.test(endpoint)) return undefined;
  return 'If it has worked before, the server ended: start it, and repeat the command. A server with TLS has an endpoint that begins with ssl://.';
}

/** Empty when there is none. When several addresses of a name were tried, that of the whole. */
function codeOf(error: Error): string {
  return 'code' in error && typeof error.code === 'string' ? error.code : '';
}
