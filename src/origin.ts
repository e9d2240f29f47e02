/**
/**
 * Client address, scheme, Host, Origin and path of a request and whether it is valid, for HTTP and for upgrades.
 * X-Forwarded-For and X-Forwarded-Proto count only when the peer is a trusted proxy. X-Forwarded-Host never counts.
 */
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { type BlockList, isIP, type Socket } from 'node:net';
import type { Config, Site } from './config.js';

type OriginPolicy = Pick<Config, 'publicOrigin' | 'allowedOrigins' | 'trustedProxies'>;

/** Returns the address of the other end. */
export function peerOf({ remoteAddress = '' }: Pick<Socket, 'remoteAddress'>): string {
  return unmapIPv4(remoteAddress);
}

/** Returns the address of the client: behind trusted proxies, the right-most address that is not a trusted proxy. */
export function addressOf(request: IncomingMessage, proxies: BlockList): string {
  const peer = peerOf(request.socket);
  if (!isTrusted(peer, proxies)) return peer;
  const hops = forwardedAddresses(request.headers).reverse();
  return hops.find((hop) => !isTrusted(hop, proxies)) ?? hops.at(-1) ?? peer;
}

type Scheme = 'http' | 'https';

/** Returns `https` when the request came over TLS, to us or to the first proxy. */
export function schemeOf(request: IncomingMessage, proxies: BlockList): Scheme {
  return schemesOf(request, proxies)[0] ?? 'http';
}

/** Returns the schemes of all hops, client first. Traefik says `wss` for a socket. */
function schemesOf({ headers, socket }: IncomingMessage, proxies: BlockList): readonly Scheme[] {
  if ('encrypted' in socket) return ['https'];
  const header = headers['x-forwarded-proto'];
  if (typeof header !== 'string' || !isTrusted(peerOf(socket), proxies)) return ['http'];
  return header.split(',').map((proto) => (/^(?:https|wss)$/i.test(proto.trim()) ? 'https' : 'http'));
}

/**
 * Returns false for a request that RFC 9112 calls invalid and Node lets through:
 * - another version of HTTP, or chunks in HTTP/1.0
 * - an invalid target
 * - no Host (Node misses that in an upgrade), several, or an invalid one
 */
export function isValidRequest(request: IncomingMessage): boolean {
  const { httpVersion, headers, url = '' } = request;
  if (!requestTargetPattern.test(url) || (!url.startsWith('/') && url !== '*' && !URL.canParse(url)))
    return false;
  if (httpVersion === '1.0' && 'transfer-encoding' in headers) return false;
  if (httpVersion === '1.0' && headers.host === undefined) return true;
  return (
    /^1\.[01]$/.test(httpVersion) &&
    headerCount(request, 'host') === 1 &&
    hostPattern.test(headers.host ?? '')
  );
}

/** RFC 9112, 3.2: a path, an address of HTTP, or `*`; none has a fragment. */
const requestTargetPattern = /^(?:\/[^#]*|https?:\/\/[^#]*|\*)$/i;
/** RFC 9112, 3.2: `uri-host [ ":" port ]`. The name may be empty. */
const hostPattern = /^(?:\[[\da-f:.]+\]|(?:[\w.~!$&'()*+,;=-]|%[\da-f]{2})*)(?::\d*)?$/i;

/** Counts the lines of a header. Node joins or drops all but the first. `name` is in lower case. */
export function headerCount({ rawHeaders }: IncomingMessage, name: string): number {
  return rawHeaders.filter((header, n) => n % 2 === 0 && header.toLowerCase() === name).length;
}

/** Returns the Host header in lower case, without the port that the scheme implies. */
function hostOf(request: IncomingMessage, scheme: string): string | undefined {
  return request.headers.host?.toLowerCase().replace(scheme === 'https' ? /:443$/ : /:80$/, '');
}

/**
 * Returns false for a Host that is not PUBLIC_ORIGIN's, against DNS rebinding. Without PUBLIC_ORIGIN, a request from this
 * machine without a proxy must use localhost or an address as Host. Other requests may have any Host.
 */
export function isOurHost(request: IncomingMessage, { publicOrigin }: OriginPolicy): boolean {
  if (publicOrigin === undefined)
    return !isDirectAndLocal(request) || isLocalHost(request.headers.host ?? '');
  const { host, protocol } = new URL(publicOrigin);
  return hostOf(request, protocol.slice(0, -1)) === host;
}

/** Returns whether the request comes from this machine without a forwarding header of a proxy. */
export function isDirectAndLocal({ headers, socket }: IncomingMessage): boolean {
  const peer = peerOf(socket);
  return isLoopback(peer) && !Object.keys(headers).some((name) => forwardingHeaderPattern.test(name));
}

/** What proxies and content delivery networks add to the requests that they pass on. */
const forwardingHeaderPattern =
  /^(?:via|forwarded|x-forwarded(?:-.*)?|x-original-.*|x-real-ip|(?:true|x|x-cluster|fastly)-client-ip|cf-connecting-ip|x-envoy-external-address)$/;

export function isLocalHost(host: string): boolean {
  const name = host.toLowerCase().replace(/:\d+$/, '');
  return name === 'localhost' || name.endsWith('.localhost') || isIP(name.replace(/^\[|\]$/g, '')) !== 0;
}

/**
 * Returns whether a request with this Origin may use the visitor's cookie: exactly our own origin or an allowed one.
 * Programs send no Origin, and old browsers send none with a same-origin GET. Then Sec-Fetch-Site must not be `cross-site`.
 * A page with `Referrer-Policy: no-referrer` sends `null`. Then Sec-Fetch-Site must be `same-origin`.
 */
export function isOurOrigin(request: IncomingMessage, policy: OriginPolicy): boolean {
  const { origin, 'sec-fetch-site': site } = request.headers;
  if (origin === undefined) return site !== 'cross-site';
  if (origin === 'null') return site === 'same-origin';
  if (policy.allowedOrigins.has(origin) || origin === policy.publicOrigin) return true;
  if (policy.publicOrigin !== undefined) return false;
  // of any hop, because some proxies put theirs before that of the browser
  return schemesOf(request, policy.trustedProxies).some(
    (scheme) => origin === `${scheme}://${hostOf(request, scheme)}`,
  );
}

/**
 * Returns our origin with https, for a request that came without: PUBLIC_ORIGIN, or the host that the request names with
 * the port of https. Undefined for a request that is invalid.
 */
export function secureOriginOf(
  request: IncomingMessage,
  { publicOrigin }: Pick<Config, 'publicOrigin'>,
  port: number,
): string | undefined {
  if (!isValidRequest(request)) return undefined;
  if (publicOrigin !== undefined) return publicOrigin;
  const host = request.headers.host?.replace(/:\d*$/, '') ?? '';
  const origin = `https://${host}${port === 443 ? '' : `:${port}`}`;
  return URL.canParse(origin) ? origin : undefined;
}

/** Returns the likely cause of a wrong Host or Origin, for the operator's log. */
export function likelyCause(request: IncomingMessage, policy: OriginPolicy): string {
  const { host = '', origin } = request.headers;
  if (!isOurHost(request, policy)) {
    if (policy.publicOrigin === undefined)
      return 'DNS rebinding, or a proxy that sets no X-Forwarded-For. Set PUBLIC_ORIGIN.';
    return isDirectAndLocal(request)
      ? `opened by another address than PUBLIC_ORIGIN ${policy.publicOrigin}, or the proxy does not pass Host.`
      : 'the proxy does not pass Host, or PUBLIC_ORIGIN is wrong.';
  }
  const url = origin !== undefined && URL.canParse(origin) ? new URL(origin) : undefined;
  if (url === undefined) return 'a page without an origin: a sandbox, a file, or another site.';
  if (url.host === hostOf(request, url.protocol.slice(0, -1)))
    return 'the proxy does not set X-Forwarded-Proto, or its address is missing in TRUSTED_PROXIES, or PUBLIC_ORIGIN is wrong.';
  return isLocalHost(host) && !isLocalHost(url.host)
    ? 'the proxy does not pass Host.'
    : 'a page of another site. If it is yours, add it to ALLOWED_ORIGINS.';
}

/** Returns the address of a path for browsers: `/chat/signin` for `/signin`. */
export function publicPath({ basePath }: Site, path: string): string {
  return basePath + path.slice(1);
}

/** Returns a browser's path as the routes know it: `/signin` for `/chat/signin`; undefined outside of BASE_PATH. */
export function pathBelow({ basePath }: Site, path: string): string | undefined {
  return path.startsWith(basePath) ? path.slice(basePath.length - 1) : undefined;
}

/**
 * Returns the network of a client for limits that last for hours; undefined when only a proxy is known. A proxy without
 * X-Forwarded-For would make one client of everybody.
 */
export function knownNetworkOf(request: IncomingMessage, proxies: BlockList): string | undefined {
  const address = addressOf(request, proxies);
  return isTrusted(address, proxies) ? undefined : networkOf(address);
}

/** Returns the key of limits by address: an IPv4 address, or an IPv6 /64 network, because a household has one. */
export function networkOf(address: string): string {
  if (isIP(address) !== 6) return address;
  const [head = '', tail] = address.split('%')[0]?.split('::') ?? [];
  const groups = head === '' ? [] : head.split(':');
  const rest = tail === undefined || tail === '' ? [] : tail.split(':');
  const missing = tail === undefined ? 0 : 8 - groups.length - rest.length;
  const all = [...groups, ...Array.from({ length: Math.max(0, missing) }, () => '0'), ...rest];
  return `${all
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':')}::/64`;
}

function isLoopback(address: string): boolean {
  return address === '::1' || address.startsWith('127.');
}

/** Returns the addresses of X-Forwarded-For after the last entry that is no address, client first. */
function forwardedAddresses(headers: IncomingHttpHeaders): string[] {
  const header = headers['x-forwarded-for'];
  const hops = (typeof header === 'string' ? header.split(',') : []).map((hop) =>
    unmapIPv4(withoutPort(hop.trim())),
  );
  return hops.slice(hops.findLastIndex((hop) => isIP(hop) === 0) + 1);
}

/** Returns `192.0.2.1` for `192.0.2.1:4711` and `2001:db8::1` for `[2001:db8::1]:4711`, because some proxies add the port. */
function withoutPort(hop: string): string {
  const [, bracketed, plain] = /^(?:\[([^\]]+)\](?::\d+)?|(\d+\.\d+\.\d+\.\d+):\d+)$/.exec(hop) ?? [];
  return bracketed ?? plain ?? hop;
}

/** What was asked lately, because each check takes 15 µs, and most requests come from the same proxy. */
const checkedAddresses = new WeakMap<BlockList, Map<string, boolean>>();
const maxCheckedAddresses = 1000;

export function isTrusted(address: string, proxies: BlockList): boolean {
  const checked = checkedAddresses.get(proxies) ?? new Map<string, boolean>();
  const known = checked.get(address);
  if (known !== undefined) return known;
  const version = isIP(address);
  const trusted = version !== 0 && proxies.check(address, version === 4 ? 'ipv4' : 'ipv6');
  if (checked.size >= maxCheckedAddresses) checked.clear();
  checkedAddresses.set(proxies, checked.set(address, trusted));
  return trusted;
}

/** Returns ::ffff:192.0.2.1 as 192.0.2.1. */
function unmapIPv4(address: string): string {
  return address.startsWith('::ffff:') && isIP(address.slice(7)) === 4 ? address.slice(7) : address;
}
