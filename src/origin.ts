/**
 * What both doors, HTTP and upgrade, ask of a request: from which address it comes, by which scheme, to which host, and
 * whether its origin may speak here. X-Forwarded-* count only when the peer is a trusted proxy; X-Forwarded-Host never.
 */
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { type BlockList, isIP } from 'node:net';
import type { Config } from './config.js';

type OriginPolicy = Pick<Config, 'publicOrigin' | 'allowedOrigins' | 'trustedProxies'>;

/** The address of the client: the peer's, or behind trusted proxies the right-most that is not one of them. */
export function addressOf(request: IncomingMessage, proxies: BlockList): string {
  const peer = unmapIPv4(request.socket.remoteAddress ?? '');
  if (!isTrusted(peer, proxies)) return peer;
  const hops = forwardedAddresses(request.headers).reverse();
  return hops.find((hop) => !isTrusted(hop, proxies)) ?? hops.at(-1) ?? peer;
}

/** `https` when the request came over TLS, directly or as a trusted proxy says. */
export function schemeOf(request: IncomingMessage, proxies: BlockList): 'http' | 'https' {
  if ('encrypted' in request.socket) return 'https';
  const said = request.headers['x-forwarded-proto'];
  const trusted = isTrusted(unmapIPv4(request.socket.remoteAddress ?? ''), proxies);
  return trusted && said === 'https' ? 'https' : 'http';
}

/** False for a Host that is not ours (DNS rebinding), where we know which one is. */
export function isOurHost(request: IncomingMessage, { publicOrigin }: OriginPolicy): boolean {
  return publicOrigin === undefined || request.headers.host?.toLowerCase() === new URL(publicOrigin).host;
}

/**
 * Whether this Origin may speak as the visitor: ours or an allowed one, exactly. Absent means that no browser sent it;
 * a browser that leaves it out (old ones, on same-origin GET) still says cross-site in Sec-Fetch-Site.
 */
export function isOurOrigin(request: IncomingMessage, doors: OriginPolicy): boolean {
  const { origin, host } = request.headers;
  if (origin === undefined) return request.headers['sec-fetch-site'] !== 'cross-site';
  if (doors.allowedOrigins.has(origin) || origin === doors.publicOrigin) return true;
  if (doors.publicOrigin !== undefined || host === undefined) return false;
  return origin === `${schemeOf(request, doors.trustedProxies)}://${host.toLowerCase()}`;
}

export function isLoopback(address: string): boolean {
  return address === '::1' || address.startsWith('127.');
}

/** The addresses of X-Forwarded-For, client first. What is no address ends the belief in all that stand before it. */
function forwardedAddresses(headers: IncomingHttpHeaders): string[] {
  const said = headers['x-forwarded-for'];
  const hops = (typeof said === 'string' ? said.split(',') : []).map((hop) => unmapIPv4(hop.trim()));
  return hops.slice(hops.findLastIndex((hop) => isIP(hop) === 0) + 1);
}

function isTrusted(address: string, proxies: BlockList): boolean {
  const version = isIP(address);
  return version !== 0 && proxies.check(address, version === 4 ? 'ipv4' : 'ipv6');
}

/** IPv4 that came over an IPv6 socket, as IPv4. */
function unmapIPv4(address: string): string {
  return address.startsWith('::ffff:') && isIP(address.slice(7)) === 4 ? address.slice(7) : address;
}
