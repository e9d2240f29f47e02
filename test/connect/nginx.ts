/** A real nginx whose rules change: it blocks upgrades, buffers answers, or cuts connections. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { Door, temporaryFolder } from '../harness.js';
import { untilListening } from '../process.js';

const NOBODY = 65_534;
export const UPGRADE = 'proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade;';
export const BUFFER = 'proxy_buffering on; proxy_ignore_headers X-Accel-Buffering;';
export const GZIP = 'gzip on; gzip_min_length 0; gzip_proxied any; gzip_types *;';

/** What stands in the locations /ws/ and /. */
export interface Rules {
  readonly sockets: string;
  readonly rest?: string;
}

export const OPEN: Rules = { sockets: UPGRADE };
export const BLOCKED: Rules = { sockets: 'return 403;' };

export class Nginx {
  readonly door: Door;
  readonly #folder = temporaryFolder();
  readonly #port: number;
  readonly #upstream: number;
  #child: ChildProcess | undefined;

  constructor(port: number, upstream: number) {
    this.#port = port;
    this.#upstream = upstream;
    this.door = new Door(port);
    mkdirSync(join(this.#folder, 'logs'));
    for (const path of [this.#folder, join(this.#folder, 'logs')]) chmodSync(path, 0o777);
  }

  async start(rules: Rules): Promise<void> {
    this.#write(rules);
    const asNobody = process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {};
    const args = ['-p', this.#folder, '-c', join(this.#folder, 'nginx.conf'), '-g', 'daemon off;'];
    const child = spawn('nginx', args, { stdio: 'ignore', ...asNobody });
    this.#child = child;
    onTestFinished(async () => {
      child.kill('SIGTERM');
      if (child.exitCode === null) await once(child, 'exit');
    });
    await untilListening(this.#port);
  }

  /** New rules; connections that are open are cut after a second. */
  change(rules: Rules): void {
    this.#write(rules);
    this.#child?.kill('SIGHUP');
  }

  #write({ sockets, rest = '' }: Rules): void {
    const temp = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
      .map((name) => `${name}_temp_path ${join(this.#folder, name)};`)
      .join('\n');
    const pass = `proxy_pass http://127.0.0.1:${this.#upstream}; proxy_http_version 1.1; proxy_set_header Host $http_host;`;
    const location = (path: string, own: string): string =>
      `location ${path} { ${own.startsWith('return') ? own : pass + own} }`;
    writeFileSync(
      join(this.#folder, 'nginx.conf'),
      `pid ${join(this.#folder, 'pid')}; error_log stderr crit; worker_processes 1; worker_shutdown_timeout 1s;
events {} http { access_log off; ${temp}
server { listen 127.0.0.1:${this.#port}; ${location('/ws/', sockets)} ${location('/', rest)} } }`,
    );
  }
}
