/**
 * `oneport status [URL]`: shows the state of a running server, from its /healthz, /readyz and /metrics. On a terminal it is a
 * live view; elsewhere it is printed once.
 */
import http from 'node:http';
import https from 'node:https';
import { text } from 'node:stream/consumers';
import { setTimeout } from 'node:timers/promises';
import { type Config, readConfig } from '../config.js';
import { field, parseJsonObject } from '../shared/parse.js';
import { type Command, CommandError, EXIT, type Terminal } from './command.js';

const refreshMs = 1000;
const requestTimeoutMs = 3000;
/** Seconds that the graphs and the commit times cover. */
const historySeconds = 60;

export const status: Command = {
  name: 'status',
  args: '[URL]',
  does: 'show people, load, commits, queues, sizes and limits of a running server',
  help: `URL is the address that the server prints, as http://127.0.0.1:3000/. Without it, the settings tell the address. On a
terminal the view is refreshed every second until Ctrl+C; elsewhere it is printed once. --json prints one JSON object.
Ends with 0 when the server is ready to accept messages, and with 1 when it is not or cannot be reached. The numbers need
/metrics, which answers on the server's own machine, or everywhere with METRICS=all.`,
  async run(args, terminal) {
    const isJson = args.includes('--json');
    const server = targetOf(
      args.filter((arg) => arg !== '--json'),
      terminal,
    );
    if (isJson) return printJson(await read(server, terminal.now()), terminal);
    if (terminal.screen() !== undefined) return watch(server, terminal);
    const reading = await read(server, terminal.now());
    terminal.out.write(`${view([reading], 0).join('\n')}\n`);
    return exitCodeOf(reading);
  },
};

interface Target {
  /** Ends with a slash. */
  readonly url: URL;
  /** Whether the certificate must name the host. Our own server's certificate does not name the loopback address. */
  readonly verifies: boolean;
}

/** @throws CommandError, ConfigError */
function targetOf(args: readonly string[], { env }: Terminal): Target {
  const [raw] = args;
  if (args.length > 1 || raw?.startsWith('-'))
    throw new CommandError(EXIT.usage, 'usage: oneport status [--json] [URL]');
  if (raw === undefined) return { url: ownUrl(readConfig(env)), verifies: false };
  const url = URL.canParse(raw) ? new URL(raw) : undefined;
  if (!url || !/^https?:$/.test(url.protocol))
    throw new CommandError(
      EXIT.usage,
      `${raw} is no address of a server. Write it as http://127.0.0.1:3000/.`,
    );
  if (!url.pathname.endsWith('/')) url.pathname += '/';
  return { url, verifies: true };
}

/** The address of the server with these settings, on this machine. */
function ownUrl({ host, port, tls, site }: Config): URL {
  if (port === 0)
    throw new CommandError(
      EXIT.usage,
      'PORT is 0, so the address is unknown. Give the URL that the server printed.',
    );
  const name = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host;
  const authority = name.includes(':') ? `[${name}]` : name;
  return new URL(`${tls ? 'https' : 'http'}://${authority}:${port}${site.basePath}`);
}

/** The server's answers at one moment. */
interface Reading {
  readonly url: string;
  /** Milliseconds since 1970. */
  readonly at: number;
  /** Why the server cannot be reached. */
  readonly failure?: string;
  readonly version?: string;
  /** Why it does not accept messages; empty when it does. */
  readonly reasons: readonly string[];
  /** By name and labels, as `oneport_closes_total{code="1001"}`; empty when they may not be read. */
  readonly metrics: ReadonlyMap<string, number>;
}

function exitCodeOf({ failure, reasons }: Reading): number {
  return failure === undefined && reasons.length === 0 ? EXIT.ok : EXIT.fault;
}

async function read(target: Target, at: number): Promise<Reading> {
  const url = target.url.origin + target.url.pathname; // without a password
  const base = { url, at, reasons: [], metrics: new Map<string, number>() };
  try {
    const [health, ready, metrics] = await Promise.all(
      ['healthz', 'readyz', 'metrics'].map((path) => get(target, path)),
    );
    if (!health || !ready || !metrics || health.status !== 200)
      return { ...base, failure: `/healthz answered ${health?.status}, so this is not Oneport` };
    return {
      ...base,
      version: textField(health.body, 'version'),
      reasons: reasonsOf(ready),
      ...(metrics.status === 200 && { metrics: parseMetrics(metrics.body) }),
    };
  } catch (error) {
    return { ...base, failure: failureOf(error) };
  }
}

interface Answer {
  readonly status: number;
  readonly body: string;
}

/** @throws when the server cannot be reached, or does not answer in time */
function get({ url, verifies }: Target, path: string): Promise<Answer> {
  const options = {
    timeout: requestTimeoutMs,
    rejectUnauthorized: verifies,
    headers: { accept: 'application/json' },
  };
  const { request } = url.protocol === 'https:' ? https : http;
  return new Promise((resolve, reject) => {
    const sent = request(new URL(path, url), options, (response) => {
      text(response).then((body) => resolve({ status: response.statusCode ?? 0, body }), reject);
    });
    sent.on('timeout', () => sent.destroy(new Error('no answer in time')));
    sent.on('error', reject);
    sent.end();
  });
}

function failureOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = 'code' in error ? String(error.code) : '';
  return code === 'ECONNREFUSED' ? 'nothing listens there' : error.message || code;
}

function textField(json: string, name: string): string {
  const value = field(parseJsonObject(json) ?? {}, name);
  return typeof value === 'string' ? printable(value) : '?';
}

function reasonsOf({ status: code, body }: Answer): readonly string[] {
  if (code === 200) return [];
  const reasons = field(parseJsonObject(body) ?? {}, 'reasons');
  return Array.isArray(reasons) && reasons.length > 0
    ? reasons.map((reason) => printable(String(reason)))
    : [`/readyz answered ${code}`];
}

/** Escapes control characters. */
function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}]/gu, '?');
}

/** The samples of Prometheus text. */
export function parseMetrics(text: string): ReadonlyMap<string, number> {
  const samples = [...text.matchAll(/^([a-zA-Z_:][\w:]*(?:\{[^}\n]*\})?) (\S+)$/gm)];
  return new Map(samples.map(([, name = '', value]) => [printable(name), Number(value)]));
}

function printJson(reading: Reading, { out }: Terminal): number {
  const { metrics, ...rest } = reading;
  const ready = exitCodeOf(reading) === EXIT.ok;
  out.write(`${JSON.stringify({ ...rest, ready, metrics: Object.fromEntries(metrics) })}\n`);
  return exitCodeOf(reading);
}

const showScreen = '\x1b[?1049h\x1b[?25l';
const leaveScreen = '\x1b[?25h\x1b[?1049l';

/** Shows the view until the operator interrupts it. Leaves the last one on the terminal. */
async function watch(target: Target, { out, now, onStop, screen }: Terminal): Promise<number> {
  const stop = new AbortController();
  onStop(() => stop.abort());
  const readings: Reading[] = [];
  out.write(showScreen);
  while (!stop.signal.aborted) {
    const from = now();
    readings.push(await read(target, from));
    if (readings.length > historySeconds + 1) readings.shift();
    const { columns, rows } = screen() ?? { columns: 80, rows: 24 };
    const lines = view(readings, columns).slice(0, rows - 1);
    out.write(`\x1b[H${lines.map((line) => `${line}\x1b[K\n`).join('')}\x1b[J`);
    const rest = Math.max(0, refreshMs - (now() - from));
    await setTimeout(rest, undefined, { signal: stop.signal }).catch(() => {});
  }
  const last = readings.at(-1);
  out.write(`${leaveScreen}${view(readings, screen()?.columns ?? 0).join('\n')}\n`);
  return last ? exitCodeOf(last) : EXIT.fault;
}

const green = '\x1b[32m';
const red = '\x1b[31m';
const yellow = '\x1b[33m';
const reset = '\x1b[0m';

/** A line of the view, with a graph of `values`, one for each reading. */
interface Row {
  readonly name: string;
  readonly text: string;
  readonly values?: readonly number[];
  /** Whether the line is a warning. */
  readonly isBad?: boolean;
}

/** The lines of the view, the newest reading last. `columns` is the width of the terminal; 0: plain, without color. */
export function view(readings: readonly Reading[], columns: number): readonly string[] {
  const newest = readings.at(-1);
  if (!newest) return [];
  const paint = (color: string, text: string): string => (columns > 0 ? color + text + reset : text);
  const { version, url, failure, reasons } = newest;
  const state =
    failure !== undefined
      ? paint(red, `not reachable: ${failure}`)
      : reasons.length > 0
        ? paint(red, `not ready: ${reasons.join('; ')}`)
        : paint(green, 'ready');
  const head = `Oneport${version === undefined ? '' : ` ${version}`} at ${url}  ${state}`;
  const shown = readings.filter(({ metrics }) => metrics.size > 0);
  const missing = failure === undefined && newest.metrics.size === 0 ? ['', noMetrics] : [];
  const rows = shown.length > 0 ? rowsOf(shown).map((row) => lineOf(row, columns, paint)) : [];
  return [head, ...missing, ...(rows.length > 0 ? ['', ...rows] : [])];
}

const noMetrics =
  'The numbers are missing: /metrics answers on the machine of the server only. Run this there, or set METRICS=all.';

const nameWidth = 13;
const textWidth = 40;

function lineOf(row: Row, columns: number, paint: (color: string, text: string) => string): string {
  const { name, text, values = [], isBad = false } = row;
  const width = Math.min(historySeconds, columns - nameWidth - textWidth - 1);
  const label = name.padEnd(nameWidth);
  const fits = columns === 0 ? text : text.slice(0, Math.max(0, columns - nameWidth));
  const shown = isBad ? paint(yellow, fits) : fits;
  if (width < 5 || values.length < 2 || fits.length > textWidth) return label + shown;
  return `${label}${shown}${' '.repeat(textWidth - fits.length)} ${sparkline(values.slice(-width))}`;
}

const bars = '▁▂▃▄▅▆▇█';

/** A bar for each value, the highest for the greatest; empty bars for zero and for unknown values. */
export function sparkline(values: readonly number[]): string {
  const max = Math.max(...values.filter(Number.isFinite), 0);
  return values
    .map((value) => bars[max > 0 && value > 0 ? Math.round((value / max) * (bars.length - 1)) : 0])
    .join('');
}

/** The index follows in slices, so it usually lacks the events of the last second. */
const usualBacklogEvents = 1000;

function searchRow(latest: (name: string) => number): Row {
  const backlog = latest('oneport_search_backlog_events');
  const isBehind = latest('oneport_search_catching_up') > 0 || backlog > usualBacklogEvents;
  return { name: 'search', text: isBehind ? `indexes ${plural(backlog, 'more event')}` : 'up to date' };
}

/** The rows of readings that have metrics. */
function rowsOf(readings: readonly Reading[]): readonly Row[] {
  const [oldest, newest] = [readings[0], readings.at(-1)];
  if (!oldest || !newest) return [];
  const { at, metrics } = newest;
  const latest = (name: string): number => metrics.get(name) ?? Number.NaN;
  const each = (name: string): number[] => readings.map((reading) => reading.metrics.get(name) ?? Number.NaN);
  const level = (name: string, metric: string, format: (value: number) => string): Row => ({
    name,
    text: format(latest(metric)),
    values: each(metric),
  });
  const inRooms = ` in ${plural(latest('oneport_rooms'), 'room')}`;
  return [
    level('people', 'oneport_people', (people) => count(people) + inRooms),
    level('sockets', 'oneport_connections', count),
    eventRow(newest, ratesOf(readings, 'oneport_events_total')),
    commitRow(readings.length > 1 ? oldest.metrics : new Map(), metrics),
    loopRow(latest('nodejs_eventloop_lag_p99_seconds'), each('nodejs_eventloop_lag_p99_seconds')),
    processorRow(newest, ratesOf(readings, 'process_cpu_seconds_total')),
    level('send queues', 'oneport_send_queue_bytes', bytes),
    { name: 'refusals', text: byLabel(metrics, 'oneport_refusals_total') },
    { name: 'closes', text: byLabel(metrics, 'oneport_closes_total') },
    { name: 'answers', text: byLabel(metrics, 'oneport_http_requests_total') },
    storeRow(latest),
    searchRow(latest),
    level('memory', 'process_resident_memory_bytes', bytes),
    descriptorRow(latest('process_open_fds'), latest('process_max_fds')),
    ...certificateRow(latest('oneport_certificate_expires_seconds'), at),
    { name: 'up', text: duration(at / 1000 - latest('process_start_time_seconds')) },
  ];
}

/** Increase a second between two readings; nothing for the first. */
function ratesOf(readings: readonly Reading[], name: string): number[] {
  return readings.slice(1).map(({ at, metrics }, index) => {
    const before = readings[index];
    const seconds = (at - (before?.at ?? at)) / 1000;
    const increase = (metrics.get(name) ?? Number.NaN) - (before?.metrics.get(name) ?? Number.NaN);
    return seconds > 0 ? Math.max(0, increase) / seconds : 0; // the server may have been restarted
  });
}

/** The rate of the last second, or the average since the start when there is only one reading. */
function rateOf({ at, metrics }: Reading, name: string, rates: readonly number[]): number {
  const seconds = at / 1000 - (metrics.get('process_start_time_seconds') ?? Number.NaN);
  return rates.at(-1) ?? (metrics.get(name) ?? Number.NaN) / seconds;
}

function eventRow(reading: Reading, values: readonly number[]): Row {
  const name = 'oneport_events_total';
  const rate = rateOf(reading, name, values).toFixed(1);
  const total = count(reading.metrics.get(name) ?? Number.NaN);
  return { name: 'events', text: `${rate}/s, ${total} since the start`, values };
}

function processorRow(reading: Reading, values: readonly number[]): Row {
  const rate = rateOf(reading, 'process_cpu_seconds_total', values);
  return { name: 'processor', text: `${(rate * 100).toFixed(0)} % of a core`, values };
}

/** Warns as docs/operations.md does. */
const slowCommitSeconds = 0.1;
const slowLoopSeconds = 0.1;

/** Times of the commits between two readings; since the start when `before` is empty. */
function commitRow(before: Reading['metrics'], after: Reading['metrics']): Row {
  const name = 'oneport_commit_seconds';
  const increase = (key: string): number => (after.get(key) ?? 0) - (before.get(key) ?? 0);
  const total = increase(`${name}_count`);
  if (total <= 0) return { name: 'commits', text: 'none' };
  const mean = increase(`${name}_sum`) / total;
  const limits = [...after.keys()].flatMap((key) => /_bucket\{le="([\d.]+)"\}$/.exec(key)?.[1] ?? []);
  const p99 = limits.find((limit) => increase(`${name}_bucket{le="${limit}"}`) >= 0.99 * total);
  const most = p99 === undefined ? '> 10 s' : `<= ${milliseconds(Number(p99))}`;
  const isBad = p99 === undefined || Number(p99) > slowCommitSeconds;
  return { name: 'commits', text: `${milliseconds(mean)} on average, p99 ${most}`, isBad };
}

function loopRow(p99: number, values: readonly number[]): Row {
  return { name: 'event loop', text: `p99 ${milliseconds(p99)}`, values, isBad: p99 > slowLoopSeconds };
}

function storeRow(latest: (name: string) => number): Row {
  const isBad = latest('oneport_store_failing') > 0;
  const sizes = `${bytes(latest('oneport_database_bytes'))}, WAL ${bytes(latest('oneport_wal_bytes'))}`;
  return { name: 'database', text: isBad ? `${sizes}; writes fail` : sizes, isBad };
}

function descriptorRow(open: number, max: number): Row {
  const text = `${count(open)} of ${count(max)}`;
  return { name: 'descriptors', text, isBad: open > 0.9 * max };
}

const daySeconds = 24 * 3600;
const expirySoonDays = 10;

function certificateRow(expires: number, at: number): readonly Row[] {
  if (!Number.isFinite(expires)) return [];
  const days = Math.floor((expires - at / 1000) / daySeconds);
  const text = days < 0 ? 'has expired' : `expires in ${plural(days, 'day')}`;
  return [{ name: 'certificate', text, isBad: days < expirySoonDays }];
}

/** "5: too_fast 3, wrong_origin 2", the most frequent first. */
function byLabel(metrics: Reading['metrics'], name: string): string {
  const found = [...metrics].flatMap(([key, value]) => {
    const [, label] = key.startsWith(`${name}{`) ? (/="([^"]*)"/.exec(key) ?? []) : [];
    return label === undefined || value === 0 ? [] : [{ label, value }];
  });
  if (found.length === 0) return 'none';
  found.sort((a, b) => b.value - a.value);
  const total = found.reduce((sum, { value }) => sum + value, 0);
  return `${count(total)}: ${found.map(({ label, value }) => `${label} ${count(value)}`).join(', ')}`;
}

function count(value: number): string {
  return Number.isFinite(value) ? Math.round(value).toLocaleString('en') : '?';
}

function plural(value: number, what: string): string {
  return `${count(value)} ${what}${value === 1 ? '' : 's'}`;
}

const byteUnits = ['B', 'kB', 'MB', 'GB', 'TB'];

function bytes(value: number): string {
  if (!Number.isFinite(value)) return '?';
  const power = Math.min(byteUnits.length - 1, Math.floor(Math.log10(Math.max(1, value)) / 3));
  const scaled = value / 1000 ** power;
  return `${scaled.toFixed(power === 0 || scaled >= 100 ? 0 : 1)} ${byteUnits[power]}`;
}

function milliseconds(seconds: number): string {
  const ms = seconds * 1000;
  return Number.isFinite(ms) ? `${ms.toFixed(ms < 10 ? 1 : 0)} ms` : '?';
}

function duration(seconds: number): string {
  if (!Number.isFinite(seconds)) return '?';
  const [days, hours, minutes] = [
    Math.floor(seconds / daySeconds),
    Math.floor(seconds / 3600) % 24,
    Math.floor(seconds / 60) % 60,
  ];
  if (days > 0) return `${plural(days, 'day')}, ${plural(hours, 'hour')}`;
  return hours > 0 ? `${plural(hours, 'hour')}, ${minutes} min` : `${minutes} min`;
}
