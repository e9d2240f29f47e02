// @ts-check
/** One process of clients (clients.c), seen from the bench. */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

/** @typedef {{ in: number, lost: number, messages: number, gaps: number, saidAt: number, firstAt: number, lastAt: number, fault: string }} Report times in microseconds */

export class ClientProcess {
  in = 0;
  lost = 0;
  #child;
  /** @type {(() => void) | undefined} */
  #onDone;
  /** @type {((report: Report) => void)[]} */
  #waiting = [];

  /** @param {string} program @param {number} port @param {string} address @param {string} path @param {number} window */
  constructor(program, port, address, path, window) {
    const args = [String(port), address, path, String(window)];
    this.#child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#child.stdin.on('error', () => {}); // it has ended: its sockets are missing
    createInterface(this.#child.stdout).on('line', (line) => this.#hear(line));
  }

  get pid() {
    return this.#child.pid ?? 0;
  }

  /** Opens a client for each cookie of a file. @param {string} file @returns {Promise<void>} */
  enter(file) {
    this.#child.stdin.write(`enter ${file}\n`);
    return new Promise((resolve) => {
      this.#onDone = resolve;
    });
  }

  /** Opens no more. */
  halt() {
    this.#child.stdin.write('halt\n');
  }

  /** @param {number} count */
  say(count) {
    this.#child.stdin.write(`say ${count}\n`);
  }

  /** Forgets what was counted. */
  begin() {
    this.#child.stdin.write('begin\n');
    return this.report();
  }

  /** @returns {Promise<Report>} */
  report() {
    this.#child.stdin.write('report\n');
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
    });
  }

  stop() {
    this.#child.kill('SIGKILL');
  }

  /** @param {string} line */
  #hear(line) {
    if (line.startsWith('{')) {
      const report = JSON.parse(line);
      [this.in, this.lost] = [report.in, report.lost];
      this.#waiting.shift()?.(report);
      return;
    }
    const [word, inside, lost] = line.split(' ');
    [this.in, this.lost] = [Number(inside), Number(lost)];
    if (word === 'done') this.#onDone?.();
  }
}
