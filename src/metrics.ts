/** The numbers of GET /metrics, in Prometheus text: the process's own and the chat's. */
import { existsSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import type { Hub } from './realtime/hub.js';
import type { Store } from './store/store.js';

/** They list every socket by name at each reading: with 18,000 that holds the event loop for 60 ms and more. Open files are counted below. */
const EXPENSIVE_METRICS = [
  'nodejs_active_handles',
  'nodejs_active_handles_total',
  'nodejs_active_resources',
  'nodejs_active_resources_total',
  'nodejs_active_requests',
  'nodejs_active_requests_total',
  'process_open_fds',
];

const FD_FOLDER = '/proc/self/fd';

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
  if (existsSync(FD_FOLDER)) gauge('process_open_fds', 'Number of open file descriptors.', openFiles);
  gauge('oneport_connections', 'open sockets', () => hub.connections.size);
  gauge('oneport_people', 'people with sockets, or lately', () => hub.userCount);
  gauge('oneport_rooms', 'rooms with somebody in them', () => hub.roomCount);
  gauge('oneport_store_failing', '1 while the disk does not take messages', () =>
    store.writeError === undefined ? 0 : 1,
  );
  counter('oneport_events_total', 'numbered events committed', () => hub.eventCount);
  return registry;
}

/** Linux from 6.2 on tells the number without the list. NaN: it cannot be read now, and the other numbers are wanted then. */
async function openFiles(): Promise<number> {
  try {
    const { size } = await stat(FD_FOLDER);
    return size > 0 ? size : (await readdir(FD_FOLDER)).length - 1; // the list itself is one
  } catch {
    return Number.NaN;
  }
}
