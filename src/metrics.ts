/** The metrics of GET /metrics, in Prometheus text: those of the process and those of the chat. */
import { existsSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { AggregatorRegistry, Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import { VERSION } from './config.js';
import type { Hub } from './realtime/hub.js';
import type { SharedOrder } from './sequencer/sequencer.js';
import type { Store } from './store/store.js';
import type { Telemetry } from './telemetry.js';

/** Excluded, because each scrape would list every socket, which blocks the event loop for over 60 ms with 18,000. */
const expensiveMetrics = [
  'nodejs_active_handles',
  'nodejs_active_handles_total',
  'nodejs_active_resources',
  'nodejs_active_resources_total',
  'nodejs_active_requests',
  'nodejs_active_requests_total',
  'process_open_fds',
];

const fdFolder = '/proc/self/fd';

/** What a process that people connect to can measure. */
interface FrontMetrics {
  readonly hub: Hub;
  /** Seconds since 1970; NaN without TLS. */
  readonly certificateExpires: () => number;
}

/** What the process with the log can measure. */
interface LogMetrics {
  readonly store: Store;
  /** The database file; its write-ahead log lies beside it. */
  readonly databaseFile: string;
  /** Undefined without REDIS_URL. */
  readonly shared: SharedOrder | undefined;
  readonly counts: {
    readonly people: () => number;
    readonly rooms: () => number;
    readonly events: () => number;
    /** Undefined without WORKERS. */
    readonly workers?: () => number;
  };
}

interface MetricsDeps {
  readonly telemetry: Telemetry;
  readonly front?: FrontMetrics;
  readonly log?: LogMetrics;
}

/** The lag of the event loop is never below this. Each check wakes an idle process, and with `WORKERS` there are several. */
const eventLoopCheckMs = 25;

export function createMetrics({ telemetry, front, log }: MetricsDeps): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: eventLoopCheckMs });
  for (const name of expensiveMetrics) registry.removeSingleMetric(name);
  const { gauge } = readersOf(registry);
  if (existsSync(fdFolder)) gauge('process_open_fds', 'Number of open file descriptors.', countOpenFiles);
  const build = { name: 'oneport_build_info', help: 'always 1; the label tells the version' };
  const aggregator = 'first';
  new Gauge({ ...build, aggregator, registers: [registry], labelNames: ['version'] }).set(
    { version: VERSION },
    1,
  );
  if (front) addFrontMetrics(registry, telemetry, front);
  if (log) addLogMetrics(registry, telemetry, log);
  return registry;
}

function addFrontMetrics(registry: Registry, telemetry: Telemetry, front: FrontMetrics): void {
  const { hub, certificateExpires } = front;
  const { gauge, counter } = readersOf(registry);
  gauge('oneport_connections', 'open sockets and streams, and users who poll', () => hub.connections.size);
  gauge('oneport_connections_by_transport', 'open connections by transport', () => countByTransport(hub), {
    label: 'transport',
  });
  gauge('oneport_send_queue_bytes', 'bytes that wait for readers', () => queuedBytes(hub));
  gauge(
    'oneport_certificate_expires_seconds',
    'when the certificate of TLS_CERT expires, in seconds since 1970',
    certificateExpires,
    { aggregator: 'min' },
  );
  const { httpByStatus, refusalsByCode, closesByCode } = telemetry;
  counter('oneport_http_requests_total', 'answers by HTTP status', () => httpByStatus, 'status');
  counter('oneport_refusals_total', 'refusals by error code', () => refusalsByCode, 'code');
  counter('oneport_closes_total', 'closed sockets by close code', () => closesByCode, 'code');
}

function addLogMetrics(registry: Registry, telemetry: Telemetry, log: LogMetrics): void {
  const { store, databaseFile, counts } = log;
  const { gauge, counter } = readersOf(registry);
  gauge('oneport_people', 'users with open sockets, or with open sockets a moment ago', counts.people);
  gauge('oneport_rooms', 'rooms with at least one user', counts.rooms);
  if (counts.workers) gauge('oneport_workers', 'workers that run', counts.workers);
  gauge('oneport_store_failing', '1 while messages cannot be stored', () =>
    store.writeError === undefined && store.damage === undefined ? 0 : 1,
  );
  gauge('oneport_search_catching_up', '1 while the search index is being built', () =>
    store.search.isCatchingUp ? 1 : 0,
  );
  gauge('oneport_search_backlog_events', 'events that the search index lacks', () => store.search.backlog);
  gauge('oneport_database_bytes', 'size of the database file', () => sizeOf(databaseFile));
  gauge('oneport_wal_bytes', 'size of the write-ahead log', () => sizeOf(`${databaseFile}-wal`));
  counter('oneport_events_total', 'events committed since the start', counts.events);
  registry.registerMetric(telemetry.commitSeconds);
  addStreamMetrics(registry, log.shared);
}

/** Returns the metrics of all processes as text: each is the sum of all, or what its `aggregator` says. */
export async function sumMetrics(processes: readonly (readonly object[])[]): Promise<string> {
  const earliest = new Set(['process_start_time_seconds']); // prom-client leaves it out
  const all = processes.map((metrics) =>
    (metrics as MetricObject[]).map((metric) => ({
      ...metric,
      ...(earliest.has(metric.name) ? { aggregator: 'min' } : {}),
      values: metric.values.map((each) => ({ ...each, value: each.value ?? Number.NaN })), // JSON has no NaN
    })),
  );
  return AggregatorRegistry.aggregate(all).metrics();
}

/** What a registry gives as JSON, as far as it matters here. */
interface MetricObject {
  readonly name: string;
  readonly values: readonly { readonly value: number | null }[];
}

function addStreamMetrics(registry: Registry, shared: SharedOrder | undefined): void {
  const { gauge, counter } = readersOf(registry);
  gauge(
    'oneport_stream_behind',
    'entries of the stream that this node has still to apply',
    () => shared?.behind ?? 0,
  );
  gauge('oneport_stream_failing', '1 while Redis takes no commands, or this node cannot apply them', () =>
    shared && shared.problems.length > 0 ? 1 : 0,
  );
  counter('oneport_stream_junk_total', 'skipped entries that no node wrote', () => shared?.junkCount ?? 0);
}

/** One number, or one for each value of a label. */
type Reading = number | ReadonlyMap<string, number>;

/** Metrics that are read from elsewhere at each scrape. */
function readersOf(registry: Registry) {
  const registers = [registry];
  return {
    gauge(
      name: string,
      help: string,
      read: () => Reading | Promise<Reading>,
      { label = '', ...options }: { readonly label?: string; readonly aggregator?: 'sum' | 'min' } = {},
    ): void {
      new Gauge({
        ...{ name, help, registers, labelNames: label === '' ? [] : [label], ...options },
        async collect() {
          for (const [labels, value] of series(await read(), label)) this.set(labels, value);
        },
      });
    },
    counter(name: string, help: string, read: () => Reading, label = ''): void {
      new Counter({
        ...{ name, help, registers, labelNames: label === '' ? [] : [label] },
        collect() {
          this.reset();
          for (const [labels, value] of series(read(), label)) this.inc(labels, value);
        },
      });
    },
  };
}

type Series = readonly (readonly [labels: Readonly<Record<string, string>>, value: number])[];

function series(reading: Reading, label: string): Series {
  return typeof reading === 'number'
    ? [[{}, reading]]
    : [...reading].map(([key, value]) => [{ [label]: key }, value]);
}

function countByTransport({ connections }: Hub): ReadonlyMap<string, number> {
  const counts = new Map(['websocket', 'sse', 'ndjson', 'poll'].map((transport) => [transport, 0]));
  for (const { transport } of connections.values()) counts.set(transport, (counts.get(transport) ?? 0) + 1);
  return counts;
}

function queuedBytes({ connections }: Hub): number {
  let bytes = 0;
  for (const connection of connections.values()) bytes += connection.bufferedBytes;
  return bytes;
}

/** Returns 0 when the file does not exist. */
async function sizeOf(file: string): Promise<number> {
  return (await stat(file).catch(() => ({ size: 0 }))).size;
}

/** Counts open files, without a list on Linux 6.2 and later. Returns NaN on an error, so that the scrape continues. */
async function countOpenFiles(): Promise<number> {
  try {
    const { size } = await stat(fdFolder);
    return size > 0 ? size : (await readdir(fdFolder)).length - 1; // excludes the descriptor of the folder itself
  } catch {
    return Number.NaN;
  }
}
