/** The metrics of GET /metrics, in Prometheus text: those of the process and those of the chat. */
import { existsSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import type { Hub } from './realtime/hub.js';
import type { Store } from './store/store.js';

/** Left out: each scrape lists every socket, which blocks the event loop for over 60 ms with 18,000. Open files are counted below. */
const EXPENSIVE_METRICS = [
  'nodejs_active_handles',
  'nodejs_active_handles_total',
  'nodejs_active_resources',
  'nodejs_active_resources_total',
  'nodejs_active_requests',
  'nodejs_active_requests_total',
  'process_open_fds',
];

const fdFolder = '/proc/self/fd';

export function createMetrics(hub: Hub, store: Store): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  for (const name of EXPENSIVE_METRICS) registry.removeSingleMetric(name);
  const gauge = (name: string, help: string, value: () => number | Promise<number>): void => {
    new Gauge({
      name,
      help,
      registers: [registry],
      async collect() {
        this.set(await value());
      },
    });
  };
  const counter = (name: string, help: string, value: () => number): void => {
    new Counter({
      name,
      help,
      registers: [registry],
      collect() {
        this.reset();
        this.inc(value());
      },
    });
  };
  if (existsSync(fdFolder)) gauge('process_open_fds', 'Number of open file descriptors.', countOpenFiles);
  gauge('oneport_connections', 'open sockets', () => hub.connections.size);
  gauge('oneport_people', 'users with open sockets, or with open sockets a moment ago', () => hub.userCount);
  gauge('oneport_rooms', 'rooms with at least one user', () => hub.roomCount);
  gauge('oneport_store_failing', '1 while messages cannot be stored', () =>
    store.writeError === undefined ? 0 : 1,
  );
  counter('oneport_events_total', 'events committed since the start', () => hub.eventCount);
  return registry;
}

/** Linux 6.2 and later give the count without a list. Returns NaN when it cannot be read, so that the scrape goes on. */
async function countOpenFiles(): Promise<number> {
  try {
    const { size } = await stat(fdFolder);
    return size > 0 ? size : (await readdir(fdFolder)).length - 1; // the open folder itself is one
  } catch {
    return Number.NaN;
  }
}
