import { Counter, Gauge, type Registry } from '../observability/metrics';
import type { Fleet } from './fleet';

/** What the fleet did and how it stands, read from it whenever somebody asks: it keeps its own counts. */
export function registerFleetMetrics(registry: Registry, fleet: Fleet): void {
  const total = (name: string, help: string, read: () => number): void => {
    new Counter({
      name: `derms_simulator_${name}_total`,
      help,
      registers: [registry],
      collect() {
        this.reset();
        this.inc(read());
      },
    });
  };
  const gauge = (name: string, help: string, read: () => number): void => {
    new Gauge({
      name: `derms_simulator_${name}`,
      help,
      registers: [registry],
      collect() {
        this.set(read());
      },
    });
  };
  const perFeeder = (name: string, help: string, of: 'flowKw' | 'wantedKw'): void => {
    new Gauge({
      name: `derms_simulator_${name}`,
      help,
      labelNames: ['feeder'],
      registers: [registry],
      collect() {
        for (const feeder of fleet.feederFlows()) this.set({ feeder: feeder.feederId }, feeder[of]);
      },
    });
  };
  gauge('devices', 'Simulated devices.', () => fleet.deviceIds.length);
  gauge('connections', 'MQTT connections of the fleet.', () => fleet.counts().connections);
  gauge('connections_up', 'Of these, connected and subscribed.', () => fleet.counts().connectionsUp);
  new Gauge({
    name: 'derms_simulator_broker_connections',
    help: 'Connections that are up, by the broker they are at.',
    labelNames: ['broker'],
    registers: [registry],
    collect() {
      fleet.counts().connectionsAt.forEach((count, index) => {
        this.set({ broker: index === 0 ? 'primary' : 'standby' }, count);
      });
    },
  });
  total('telemetry_produced', 'Readings made.', () => fleet.counts().telemetryProduced);
  total('telemetry_acknowledged', 'Readings that the broker has accepted.', () => fleet.counts().telemetryAcknowledged);
  gauge('messages_waiting', 'Messages kept for a broker that is away.', () => fleet.counts().waiting);
  total('messages_dropped', 'Messages given up because too many were kept.', () => fleet.counts().dropped);
  new Counter({
    name: 'derms_simulator_setpoints_total',
    help: 'Setpoints heard, by what the devices did about them.',
    labelNames: ['outcome'],
    registers: [registry],
    collect() {
      this.reset();
      for (const [outcome, count] of Object.entries(fleet.counts().setpoints)) this.inc({ outcome }, count);
    },
  });
  perFeeder('feeder_flow_kw', 'True flow through a feeder, kW, import positive.', 'flowKw');
  perFeeder('feeder_wanted_kw', 'Flow if nobody asked any device for anything, kW.', 'wantedKw');
}
