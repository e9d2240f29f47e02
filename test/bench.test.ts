/** The load generator of the bench, at a small scale: it must still compile, and count right. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { hasTool } from './harness.js';

const run = promisify(execFile);
const bench = fileURLToPath(new URL('../bench/run.js', import.meta.url));
const rows = (text: string): Map<string, string> =>
  new Map([...text.matchAll(/^\| (.+?) \| (.+) \|$/gm)].map(([, name = '', value = '']) => [name, value]));

describe.skipIf(!hasTool('cc'))('npm run bench -- million', () => {
  it('opens the sockets that it is asked for, and sees a message reach each of them', async () => {
    const args = [bench, 'million', '300', '--messages', '1', '--settle', '0.1'];
    const result = rows((await run(process.execPath, args)).stdout);
    expect(result.get('sockets')).toBe('300 of 300, of 300 people');
    expect(result.get('lost')).toBe('0');
    expect(result.get('message 1')).toContain('the last of 300 has it');
    expect(result.get('/healthz, entering')).not.toContain('failed');
  }, 120_000);
});
