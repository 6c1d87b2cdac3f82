import { Gauge, type Registry } from '../../observability/metrics';
import type { Dependency, HealthMonitor } from './monitor';

const UP: Readonly<Record<Dependency, { readonly name: string; readonly help: string }>> = {
  database: { name: 'derms_db_up', help: '1 while PostgreSQL answers this process.' },
  broker: { name: 'derms_mqtt_up', help: '1 while the MQTT broker answers this process.' },
  temporal: { name: 'derms_temporal_up', help: '1 while Temporal answers this process.' },
};

/**
 * The gauges that alerts stand on, there from the first scrape and read from the monitor at each. `isBrokerUnbroken`
 * shows a lost broker at once, also when the standby takes its place before the monitor looks again.
 */
export function registerHealthMetrics(
  registry: Registry,
  monitor: HealthMonitor,
  isBrokerUnbroken: () => boolean = () => true,
): void {
  const registers = [registry];
  for (const [dependency, { name, help }] of Object.entries(UP) as [Dependency, (typeof UP)[Dependency]][]) {
    new Gauge({
      name,
      help,
      registers,
      collect() {
        const up = monitor.dependency(dependency).up && (dependency !== 'broker' || isBrokerUnbroken());
        this.set(up ? 1 : 0);
      },
    });
  }
  new Gauge({
    name: 'derms_quarantined',
    help: '1 while the database is quarantined after a restore: nothing is planned or published.',
    registers,
    collect() {
      this.set(monitor.quarantine() === null ? 0 : 1);
    },
  });
  new Gauge({
    name: 'derms_emergency_stop',
    help: '1 while an emergency stop is in force: every device is sent to its safe state.',
    registers,
    collect() {
      this.set(monitor.emergencyStop() === null ? 0 : 1);
    },
  });
  new Gauge({
    name: 'derms_control_loop_ok',
    help: '1 while the last finished cycle is younger than max(3 intervals, 30 s); none for a disabled feeder.',
    labelNames: ['feeder'],
    registers,
    collect() {
      this.reset();
      for (const { rootFeederId, enabled, ok } of monitor.loops()) {
        if (enabled) this.set({ feeder: rootFeederId }, ok ? 1 : 0);
      }
    },
  });
  new Gauge({
    name: 'derms_control_loop_offline_devices',
    help: 'Devices below the feeder that are offline.',
    labelNames: ['feeder'],
    registers,
    collect() {
      this.reset();
      for (const { rootFeederId, offline } of monitor.loops()) this.set({ feeder: rootFeederId }, offline);
    },
  });
}
