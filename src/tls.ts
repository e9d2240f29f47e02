/**
 * TLS with Node alone: the certificate of TLS_CERT and TLS_KEY, read at the start and again on a reload. After a
 * reload, new connections get the new certificate; open ones stay. An invalid certificate is ignored.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { createSecureContext } from 'node:tls';
import type { Logger } from 'pino';
import { ConfigError, type TlsFiles } from './config.js';

export interface Certificate {
  /** PEM, with the chain. */
  readonly cert: Buffer;
  readonly key: Buffer;
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
}

/** Milliseconds for a handshake; a peer that takes longer is disconnected. */
const handshakeTimeout = 8_000;

/** @throws ConfigError that says what to do */
export function readCertificate({ certFile, keyFile }: TlsFiles): Certificate {
  const [cert, key] = [readPem('TLS_CERT', certFile), readPem('TLS_KEY', keyFile)];
  const x509 = attempt(
    () => new X509Certificate(cert),
    () => `TLS_CERT ${certFile} holds no certificate. Set it to a PEM file, as fullchain.pem.`,
  );
  const privateKey = attempt(
    () => createPrivateKey(key),
    () =>
      key.includes('ENCRYPTED')
        ? `TLS_KEY ${keyFile} is encrypted. Decrypt it with "openssl pkey".`
        : `TLS_KEY ${keyFile} holds no private key. Set it to a PEM file, as privkey.pem.`,
  );
  if (!x509.checkPrivateKey(privateKey))
    throw new ConfigError(
      `TLS_KEY ${keyFile} does not belong to TLS_CERT ${certFile}. Set both to the files of one certificate.`,
    );
  attempt(
    () => createSecureContext({ cert, key }),
    (error) => `TLS_CERT ${certFile} cannot be used: ${String(error)}. Get another certificate.`,
  );
  return { cert, key, expiresAt: Date.parse(x509.validTo) };
}

function readPem(name: string, file: string): Buffer {
  return attempt(
    () => readFileSync(file),
    (error) =>
      codeOf(error) === 'EACCES'
        ? `${name} ${file} is not readable. Give the user of the server the right to read it.`
        : `${name} ${file} cannot be read: ${String(error)}. Set it to a PEM file.`,
  );
}

function attempt<T>(step: () => T, explain: (error: unknown) => string): T {
  try {
    return step();
  } catch (error) {
    throw new ConfigError(explain(error));
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}

/** The HTTP server, over TLS when there is a certificate. The caller calls `listen`. */
export class Listener {
  readonly server: http.Server;
  readonly #files: TlsFiles | undefined;
  readonly #logger: Logger;
  readonly #now: () => number;
  #certificate: Certificate | undefined;

  /** `now` is in milliseconds. @throws ConfigError */
  constructor(options: http.ServerOptions, files: TlsFiles | undefined, logger: Logger, now: () => number) {
    this.#files = files;
    this.#logger = logger;
    this.#now = now;
    this.#certificate = files && readCertificate(files);
    this.server = this.#certificate
      ? https.createServer({ ...options, handshakeTimeout, ...pemOf(this.#certificate) })
      : http.createServer(options);
    if (this.#certificate && this.#isExpired(this.#certificate))
      logger.warn({ ...expiryOf(this.#certificate) }, 'the certificate of TLS_CERT has expired');
  }

  /** When the certificate expires, in seconds since 1970; NaN without TLS. */
  get certificateExpires(): number {
    return (this.#certificate?.expiresAt ?? Number.NaN) / 1000;
  }

  /** Reads the files again. Keeps the current certificate when they are invalid. Logs the result. */
  reload(): void {
    if (!this.#files || !(this.server instanceof https.Server)) {
      this.#logger.info('nothing to reload: TLS_CERT is not set');
      return;
    }
    try {
      const certificate = readCertificate(this.#files);
      if (this.#isExpired(certificate))
        throw new ConfigError(`TLS_CERT ${this.#files.certFile} has expired. Renew it.`);
      this.server.setSecureContext(pemOf(certificate));
      this.#certificate = certificate;
      this.#logger.info(expiryOf(certificate), 'reloaded the certificate');
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#logger.error({ error: reason }, 'kept the previous certificate, because the new one is bad');
    }
  }

  #isExpired({ expiresAt }: Certificate): boolean {
    return expiresAt <= this.#now();
  }
}

/** Few, because each answer ends its connection. They come out of the reserve of file descriptors. */
const maxRedirectConnections = 64;

/**
 * Returns a server that redirects every request to the same path of `originOf`, and answers 400 when that is undefined. It
 * serves nothing else, so that nobody signs in without TLS. The caller calls `listen`.
 */
export function createRedirectServer(
  options: http.ServerOptions,
  originOf: (request: http.IncomingMessage) => string | undefined,
): http.Server {
  const server = http.createServer(options, (request, response) => {
    const origin = originOf(request);
    const path = request.url?.startsWith('/') ? request.url : '/';
    if (origin === undefined) response.writeHead(400, { Connection: 'close' });
    else response.writeHead(308, { Location: origin + path, Connection: 'close' });
    response.end();
  });
  server.maxConnections = maxRedirectConnections;
  return server;
}

function pemOf({ cert, key }: Certificate): Pick<Certificate, 'cert' | 'key'> {
  return { cert, key };
}

function expiryOf({ expiresAt }: Certificate): { readonly expires: string } {
  return { expires: new Date(expiresAt).toISOString() };
}
