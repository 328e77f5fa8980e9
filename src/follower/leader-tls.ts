import { X509Certificate } from 'node:crypto';
import { rootCertificates } from 'node:tls';
import { NO_TLS } from '../model/error-words.ts';
import { ServiceError } from '../model/errors.ts';

/** How the other end of a connection by TLS is checked, and what is shown to it. */
export interface TlsTrust {
  /** PEM of authorities that are trusted besides those that everybody trusts. */
  readonly ca?: string | undefined;
  /** PEM of the certificate that is shown to servers that want one. */
  readonly cert?: string | undefined;
  /** PEM of its key. */
  readonly key?: string | undefined;
  /** false lets any certificate pass, so that anybody in between can read and change everything; true by default. */
  readonly verify?: boolean | undefined;
}

/** The part of a connector's options that `trust` stands for. */
export interface TlsConnectOptions {
  readonly ca?: string[];
  readonly cert?: string;
  readonly key?: string;
  readonly rejectUnauthorized: boolean;
}

/** What a connector of undici is told. */
export function tlsConnectOptions(trust: TlsTrust = {}): TlsConnectOptions {
  const { ca, cert, key, verify = true } = trust;
  return {
    ...(ca === undefined ? {} : { ca: [...rootCertificates, ca] }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    rejectUnauthorized: verify,
  };
}

/** Files of PEM by their paths, '' for none. */
export interface TrustFiles {
  readonly cafile: string;
  /** Certificate and key in one. */
  readonly keyfile: string;
  readonly verify: boolean;
}

/**
 * Reads the files.
 * @param read the text of a file
 * @throws ServiceError badParameter for a file that cannot be read, or of authorities without a certificate
 */
export function readTrust(files: TrustFiles, read: (path: string) => string): TlsTrust {
  const ca = files.cafile === '' ? undefined : certificatesOf(files.cafile, read);
  const pair = files.keyfile === '' ? undefined : textOf(files.keyfile, read);
  return { ca, cert: pair, key: pair, verify: files.verify };
}

/** A file without any would be taken without a word, and nobody trusted for it. */
function certificatesOf(path: string, read: (path: string) => string): string {
  const text = textOf(path, read);
  try {
    new X509Certificate(text);
  } catch (cause) {
    throw new ServiceError('badParameter', `${path} holds no certificate in PEM`, { cause });
  }
  return text;
}

function textOf(path: string, read: (path: string) => string): string {
  try {
    return read(path);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new ServiceError('badParameter', `${path} can not be read: ${reason}`, { cause });
  }
}

/** What comes of speaking TLS to who answers in plain HTTP. */
const NO_TLS_CODES: ReadonlySet<string> = new Set([
  'ERR_SSL_WRONG_VERSION_NUMBER',
  'ERR_SSL_PACKET_LENGTH_TOO_LONG',
]);

/**
 * The reason in an error of OpenSSL, whose message is for those who build TLS and not for those who use it;
 * undefined for other errors.
 */
export function tlsReason(error: Error): string | undefined {
  if (!('code' in error) || typeof error.code !== 'string') return undefined;
  if (NO_TLS_CODES.has(error.code)) return NO_TLS;
  const isWordy = error.code.startsWith('ERR_SSL_') && 'reason' in error;
  return isWordy && typeof error.reason === 'string' ? error.reason : undefined;
}
