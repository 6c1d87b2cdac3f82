import { Gauge, type Registry } from '../observability/metrics';
import type { Fleet } from './fleet';

/** What the fleet did and how it stands, read from it whenever somebody asks: it keeps its own counts. */
export function registerFleetMetrics(registry: Registry, fleet: Fleet): void {
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
  gauge('devices', 'Simulated devices.', () => fleet.deviceIds.length);
  gauge('connections', 'MQTT connections of the fleet.', () => fleet.counts().connections);
  gauge('connections_up', 'Of these, connected and subscribed.', () => fleet.counts().connectionsUp);
  gauge('telemetry_produced', 'Readings made since the start.', () => fleet.counts().telemetryProduced);
  gauge('telemetry_acknowledged', 'Readings the broker has accepted.', () => fleet.counts().telemetryAcknowledged);
  gauge('messages_waiting', 'Messages kept for a broker that is away.', () => fleet.counts().waiting);
  gauge('messages_dropped', 'Messages given up because too many were kept.', () => fleet.counts().dropped);
  perLabel(registry, 'setpoints', 'Setpoints heard, by what the devices did.', 'outcome', () =>
    Object.entries(fleet.counts().setpoints),
  );
  perLabel(registry, 'feeder_flow_kw', 'True flow through a feeder, kW, import positive.', 'feeder', () =>
    fleet.feederIds.map((feederId) => [feederId, fleet.meterFlowKw(feederId)]),
  );
  perLabel(registry, 'feeder_wanted_kw', 'Flow if nobody asked any device for anything, kW.', 'feeder', () =>
    fleet.feederIds.map((feederId) => [feederId, fleet.wantedFlowKw(feederId)]),
  );
}

function perLabel(
  registry: Registry,
  name: string,
  help: string,
  label: string,
  read: () => readonly (readonly [string, number])[],
): void {
  new Gauge({
    name: `derms_simulator_${name}`,
    help,
    labelNames: [label],
    registers: [registry],
    collect() {
      for (const [value, number] of read()) this.set({ [label]: value }, number);
    },
  });
}
