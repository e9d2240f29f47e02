/**
 * Client address, scheme, Host and Origin of a request, for HTTP and for upgrades. X-Forwarded-For and X-Forwarded-Proto
 * count only when the peer is a trusted proxy. X-Forwarded-Host never counts.
 */
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { type BlockList, isIP } from 'node:net';
import type { Config } from './config.js';

type OriginPolicy = Pick<Config, 'publicOrigin' | 'allowedOrigins' | 'trustedProxies'>;

/** Returns the address of the client. Behind trusted proxies, that is the right-most address which is not one of them. */
export function addressOf(request: IncomingMessage, proxies: BlockList): string {
  const peer = unmapIPv4(request.socket.remoteAddress ?? '');
  if (!isTrusted(peer, proxies)) return peer;
  const hops = forwardedAddresses(request.headers).reverse();
  return hops.find((hop) => !isTrusted(hop, proxies)) ?? hops.at(-1) ?? peer;
}

/** Returns `https` when the request came over TLS, to us or to a trusted proxy. */
export function schemeOf(request: IncomingMessage, proxies: BlockList): 'http' | 'https' {
  if ('encrypted' in request.socket) return 'https';
  const proto = request.headers['x-forwarded-proto'];
  const trusted = isTrusted(unmapIPv4(request.socket.remoteAddress ?? ''), proxies);
  return trusted && proto === 'https' ? 'https' : 'http';
}

/** Returns false for a Host that is not PUBLIC_ORIGIN's (DNS rebinding). Without PUBLIC_ORIGIN, every Host is accepted. */
export function isOurHost(request: IncomingMessage, { publicOrigin }: OriginPolicy): boolean {
  return publicOrigin === undefined || request.headers.host?.toLowerCase() === new URL(publicOrigin).host;
}

/**
 * Returns whether a request with this Origin may use the visitor's cookie: exactly our own origin or an allowed one.
 * A request without Origin comes from no browser, or is a same-origin GET of an old one; Sec-Fetch-Site tells them apart.
 */
export function isOurOrigin(request: IncomingMessage, policy: OriginPolicy): boolean {
  const { origin, host } = request.headers;
  if (origin === undefined) return request.headers['sec-fetch-site'] !== 'cross-site';
  if (policy.allowedOrigins.has(origin) || origin === policy.publicOrigin) return true;
  if (policy.publicOrigin !== undefined || host === undefined) return false;
  return origin === `${schemeOf(request, policy.trustedProxies)}://${host.toLowerCase()}`;
}

export function isLoopback(address: string): boolean {
  return address === '::1' || address.startsWith('127.');
}

/** Returns the addresses of X-Forwarded-For, client first, from after the last entry that is no address. */
function forwardedAddresses(headers: IncomingHttpHeaders): string[] {
  const header = headers['x-forwarded-for'];
  const hops = (typeof header === 'string' ? header.split(',') : []).map((hop) => unmapIPv4(hop.trim()));
  return hops.slice(hops.findLastIndex((hop) => isIP(hop) === 0) + 1);
}

function isTrusted(address: string, proxies: BlockList): boolean {
  const version = isIP(address);
  return version !== 0 && proxies.check(address, version === 4 ? 'ipv4' : 'ipv6');
}

/** Returns ::ffff:192.0.2.1 as 192.0.2.1. */
function unmapIPv4(address: string): string {
  return address.startsWith('::ffff:') && isIP(address.slice(7)) === 4 ? address.slice(7) : address;
}
