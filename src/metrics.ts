/** The numbers of GET /metrics, in Prometheus text: the process's own and the chat's. */
import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import type { Hub } from './socket/hub.js';
import type { Store } from './store/store.js';

export function createMetrics(hub: Hub, store: Store): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const gauge = (name: string, help: string, value: () => number): void => {
    new Gauge({
      name,
      help,
      registers: [registry],
      collect() {
        this.set(value());
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
  gauge('oneport_connections', 'open sockets', () => hub.connections.size);
  gauge('oneport_people', 'people with sockets, or lately', () => hub.people);
  gauge('oneport_rooms', 'rooms with somebody in them', () => hub.rooms);
  gauge('oneport_store_failing', '1 while the disk does not take messages', () =>
    store.fault === undefined ? 0 : 1,
  );
  counter('oneport_events_total', 'numbered events committed', () => hub.events);
  return registry;
}
