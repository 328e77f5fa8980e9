import type { LoggerOptions } from 'pino';

const CENSOR = '[redacted]';
const SECRET_NAMES = [
  ...['password', 'passwd', 'passvoid', 'rootPassword', 'jwt', 'token', 'secret'],
  ...['authorization', 'cookie'],
];
/** What credentials look like in a text: those of an HTTP header, and those in a URL. */
const SECRET_TEXTS = [
  /\b((?:basic|bearer) +)(?=[\w.~+/-]*[\d+/.=])[\w.~+/-]{8,}=*/gi,
  /(\w:\/\/[^\s/@:"\\]*:)[^\s/@"\\]+(?=@)/g,
];

/**
 * How the server's own log is written with pino: everything it is given, without secrets - neither under a name
 * that secrets have, nor in a text that looks like credentials.
 */
export const LOG_OPTIONS: LoggerOptions = {
  level: 'trace',
  redact: {
    paths: ['', '*.', '*.*.', '*.*.*.'].flatMap((at) => SECRET_NAMES.map((name) => at + name)),
    censor: CENSOR,
  },
  hooks: {
    streamWrite: (line) =>
      SECRET_TEXTS.reduce((text, secret) => text.replace(secret, `$1${CENSOR}`), line),
  },
};
