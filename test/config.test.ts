import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { readConfig, SETTINGS } from '../src/config.js';

describe('the configuration', () => {
  it('has defaults, and takes an empty variable as unset', () => {
    expect(readConfig({ PORT: '' })).toMatchObject({
      host: '127.0.0.1',
      port: 3000,
      sessionKeys: [],
      publicOrigin: undefined,
    });
    expect(readConfig({}).limits).toEqual({
      messageRate: 5,
      messageBurst: 10,
      pingSeconds: 15,
      connectionsPerPerson: 10,
      connectionsPerAddress: 1024,
      signinsPerMinute: 10,
      sendBuffer: 1_048_576,
    });
    expect(Object.isFrozen(readConfig({}))).toBe(true);
  });
  it.each([
    ['PORT', 'x'],
    ['PORT', '70000'],
    ['PORT', '-1'],
    ['MESSAGE_RATE', '1.5'],
    ['SEND_BUFFER', '1MB'],
    ['SEND_BUFFER', '1'],
    ['PING_SECONDS', '0'],
    ['MESSAGE_BURST', '0'],
    ['SESSION_KEYS', ','],
    ['SESSION_KEYS', 'short'],
    ['SESSION_KEYS', 'a'.repeat(40)],
    ['SESSION_KEYS', 'change-me-change-me-change-me-change-me'],
    ['PUBLIC_ORIGIN', 'chat.example.org'],
    ['PUBLIC_ORIGIN', 'https://chat.example.org/path'],
    ['ALLOWED_ORIGINS', 'https://a.example,b'],
    ['TRUSTED_PROXIES', '10.0.0.0/99'],
    ['TRUSTED_PROXIES', 'proxy.local'],
    ['SITE_NAME', 'x'.repeat(61)],
    ['SITE_NAME', 'two\nlines'],
    ['DEFAULT_ROOM', 'two words'],
    ['DEFAULT_ROOM', 'r/kitchen'],
    ['BASE_PATH', '/chat'],
    ['BASE_PATH', 'chat/'],
    ['BASE_PATH', '//chat/'],
    ['BASE_PATH', '/../'],
    ['BASE_PATH', '/a b/'],
    ['BASE_PATH', 'https://chat.example.org/'],
    ['LOG_LEVEL', 'loud'],
    ['METRICS', 'yes'],
    ['REDIS_URL', 'http://x'],
    ['STREAM_HOURS', '0'],
    ['WORKERS', '257'],
  ])('rejects %s=%j and names the variable', (name, value) =>
    expect(() => readConfig({ [name]: value })).toThrow(name),
  );
  it.each([
    ['https://CHAT.example.org', 'https://chat.example.org.'],
    ['https://chat.example.org:443', 'https://chat.example.org.'],
    ['https://例子.example', 'https://xn--fsqu00a.example.'],
  ])('tells how browsers write the origin %s', (origin, expected) =>
    expect(() => readConfig({ PUBLIC_ORIGIN: origin })).toThrow(expected),
  );
  it.each([
    ['/chat', 'Write /chat/.'],
    ['chat/room', 'Write /chat/room/.'],
    ['/a b/', 'between slashes, as in /chat/.'],
    ['/./', 'between slashes, as in /chat/.'],
  ])('tells how the path %s is written', (path, expected) =>
    expect(() => readConfig({ BASE_PATH: path })).toThrow(expected),
  );
  it('sends a path in PUBLIC_ORIGIN to BASE_PATH', () =>
    expect(() => readConfig({ PUBLIC_ORIGIN: 'https://example.org/chat/' })).toThrow(
      'A path belongs in BASE_PATH',
    ));
  it('takes a comma at the end of SESSION_KEYS', () => {
    const key = 'k0-k1-k2-k3-k4-k5-k6-k7-k8-k9-abc';
    expect(readConfig({ SESSION_KEYS: `${key},` }).sessionKeys).toEqual([key]);
  });
  it.each(SETTINGS.map(([name]) => name))('takes an empty or blank %s as unset', (name) => {
    for (const value of ['', ' ']) expect(readConfig({ [name]: value })).toEqual(readConfig({}));
  });
  it('is listed in docs/operations.md, with every default and meaning', () => {
    const docs = readFileSync(new URL('../docs/operations.md', import.meta.url), 'utf8');
    for (const [name, fallback, meaning] of SETTINGS)
      expect(docs).toContain(`| \`${name}\` | ${fallback === '' ? '' : `\`${fallback}\``} | ${meaning} |`);
  });
});
