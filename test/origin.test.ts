import type { IncomingMessage } from 'node:http';
import { describe, expect, it } from 'vitest';
import { readConfig } from '../src/config.js';
import {
  addressOf,
  isDirectAndLocal,
  isOurHost,
  isOurOrigin,
  knownNetworkOf,
  networkOf,
  schemeOf,
} from '../src/origin.js';

const direct = readConfig({});
const named = readConfig({ PUBLIC_ORIGIN: 'https://chat.example.org' });

/** A request from a peer with these headers, as far as origin.ts looks at it. */
function request(headers: Readonly<Record<string, string>>, remoteAddress = '127.0.0.1'): IncomingMessage {
  return { headers, socket: { remoteAddress } } as unknown as IncomingMessage; // all that is read
}

describe('the client address', () => {
  it.each([
    ['192.0.2.1', '192.0.2.1'],
    ['192.0.2.1:4711', '192.0.2.1'],
    ['[2001:db8::1]:4711', '2001:db8::1'],
    ['[2001:db8::1]', '2001:db8::1'],
    ['6.6.6.6, 192.0.2.1', '192.0.2.1'],
    ['192.0.2.1, 127.0.0.1', '192.0.2.1'],
    ['junk', '127.0.0.1'],
    ['6.6.6.6, junk, 127.0.0.1', '127.0.0.1'],
  ])('of X-Forwarded-For: %s is %s', (header, address) =>
    expect(addressOf(request({ 'x-forwarded-for': header }), direct.trustedProxies)).toBe(address),
  );

  it('is the peer when the peer is no trusted proxy', () => {
    const claimed = request({ 'x-forwarded-for': '192.0.2.1' }, '198.51.100.7');
    expect(addressOf(claimed, direct.trustedProxies)).toBe('198.51.100.7');
  });

  it('is unknown for limits that last for hours when a proxy does not tell', () => {
    const { trustedProxies } = direct;
    expect(knownNetworkOf(request({}), trustedProxies)).toBeUndefined();
    expect(knownNetworkOf(request({ 'x-forwarded-for': '192.0.2.1' }), trustedProxies)).toBe('192.0.2.1');
    expect(knownNetworkOf(request({}, '198.51.100.7'), trustedProxies)).toBe('198.51.100.7');
  });

  it.each([
    ['192.0.2.1', '192.0.2.1'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:db8:1:2::6', '2001:db8:1:2::/64'],
    ['2001:0DB8:0001:2::', '2001:db8:1:2::/64'],
    ['::1', '0:0:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ])('%s counts as %s', (address, network) => expect(networkOf(address)).toBe(network));
});

describe('the scheme', () => {
  it.each([
    ['https', 'https'],
    ['wss', 'https'],
    ['https,http', 'https'],
    ['https, https', 'https'],
    ['HTTPS', 'https'],
    ['http, https', 'http'],
    ['http', 'http'],
    ['ws', 'http'],
    ['', 'http'],
  ])('of X-Forwarded-Proto: %s is %s', (header, scheme) =>
    expect(schemeOf(request({ 'x-forwarded-proto': header }), direct.trustedProxies)).toBe(scheme),
  );
});

describe('the Host', () => {
  it.each([
    ['chat.example.org', true],
    ['CHAT.example.org', true],
    ['chat.example.org:443', true],
    ['chat.example.org:80', false],
    ['evil.example', false],
  ])('%s is ours: %s, with PUBLIC_ORIGIN', (host, ours) =>
    expect(isOurHost(request({ host }), named)).toBe(ours),
  );

  it.each([
    ['localhost:3000', true],
    ['chat.localhost:3000', true],
    ['127.0.0.1:3000', true],
    ['[::1]:3000', true],
    ['evil.example', false],
    ['evil.example:3000', false],
  ])('%s is ours: %s, from this machine without a proxy', (host, ours) =>
    expect(isOurHost(request({ host }), direct)).toBe(ours),
  );

  it('may be any, from elsewhere or through a proxy', () => {
    const host = 'chat.example.org';
    expect(isOurHost(request({ host }, '192.0.2.1'), direct)).toBe(true);
    expect(isOurHost(request({ host, 'x-forwarded-for': '192.0.2.1' }), direct)).toBe(true);
  });
});

describe('the Origin', () => {
  it('null is ours only when the browser says that the page is', () => {
    const host = 'localhost:3000';
    expect(isOurOrigin(request({ host, origin: 'null', 'sec-fetch-site': 'same-origin' }), direct)).toBe(
      true,
    );
    expect(isOurOrigin(request({ host, origin: 'null', 'sec-fetch-site': 'cross-site' }), direct)).toBe(
      false,
    );
    expect(isOurOrigin(request({ host, origin: 'null' }), direct)).toBe(false);
  });

  it.each(['https,http', 'http, https', 'HTTPS', 'http,wss'])(
    'may have the scheme of any hop of %s',
    (hops) => {
      const headers = { host: 'chat.example.org', 'x-forwarded-proto': hops };
      expect(isOurOrigin(request({ ...headers, origin: 'https://chat.example.org' }), direct)).toBe(true);
      expect(isOurOrigin(request({ ...headers, origin: 'https://evil.example' }), direct)).toBe(false);
    },
  );

  it('is compared without the port that the scheme implies', () => {
    const headers = { host: 'chat.example.org:443', 'x-forwarded-proto': 'wss' };
    expect(isOurOrigin(request({ ...headers, origin: 'https://chat.example.org' }), direct)).toBe(true);
    expect(isOurOrigin(request({ ...headers, origin: 'http://chat.example.org' }), direct)).toBe(false);
    expect(isOurOrigin(request({ ...headers, origin: 'https://chat.example.org:444' }), direct)).toBe(false);
  });
});

describe('a request from this machine', () => {
  it.each([
    'forwarded',
    'via',
    'x-forwarded-for',
    'x-forwarded-host',
    'x-forwarded-proto',
    'x-forwarded-port',
    'x-forwarded-server',
    'x-forwarded',
    'x-original-forwarded-for',
    'x-real-ip',
    'x-client-ip',
    'x-cluster-client-ip',
    'true-client-ip',
    'cf-connecting-ip',
  ])('is not direct with a %s header', (name) =>
    expect(isDirectAndLocal(request({ [name]: '127.0.0.1' }))).toBe(false),
  );

  it('is direct without one', () => {
    expect(isDirectAndLocal(request({}))).toBe(true);
    expect(isDirectAndLocal(request({ host: 'localhost', accept: '*/*', 'x-requested-with': 'a' }))).toBe(
      true,
    );
    expect(isDirectAndLocal(request({}, '192.0.2.1'))).toBe(false);
  });
});
