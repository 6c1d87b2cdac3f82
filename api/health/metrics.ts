import { Counter, Gauge, type Registry } from '../../observability/metrics';
import type { Dependency, HealthMonitor, LoopState, LoopTicks } from './monitor';

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
  const perLoop = (name: string, help: string, of: (loop: LoopState) => number): void => {
    new Gauge({
      name,
      help,
      labelNames: ['feeder'],
      registers,
      collect() {
        this.reset();
        for (const loop of monitor.loops()) this.set({ feeder: loop.rootFeederId }, of(loop));
      },
    });
  };
  perLoop('derms_control_loop_devices', 'Enabled devices below the feeder.', ({ devices }) => devices);
  perLoop('derms_control_loop_offline_devices', 'Devices below the feeder that are offline.', ({ offline }) => offline);
  perLoop(
    'derms_control_loop_stale_devices',
    'Devices below the feeder whose last sample is stale, and that are not offline yet.',
    ({ stale }) => stale,
  );
  registerTicks(registry, monitor);
}

const TICK_OUTCOMES: readonly { readonly outcome: string; readonly of: (ticks: LoopTicks) => number }[] = [
  { outcome: 'on-time', of: ({ onTime }) => onTime },
  { outcome: 'late', of: ({ late }) => late },
  { outcome: 'missed', of: ({ missed }) => missed },
];

/** What the service level of the loops is measured by. A counter never falls, also when a guess was one too high. */
function registerTicks(registry: Registry, monitor: Pick<HealthMonitor, 'loops'>): void {
  const highest = new Map<string, number>();
  new Counter({
    name: 'derms_control_ticks_total',
    help: 'Nominal ticks of a control loop: done within one interval (on-time), later or never published (late), not planned (missed).',
    labelNames: ['feeder', 'outcome'],
    registers: [registry],
    collect() {
      this.reset();
      for (const { rootFeederId: feeder, ticks } of monitor.loops()) {
        if (ticks === null) continue;
        for (const { outcome, of } of TICK_OUTCOMES) {
          const key = JSON.stringify([feeder, outcome]);
          const count = Math.max(highest.get(key) ?? 0, of(ticks));
          highest.set(key, count);
          this.inc({ feeder, outcome }, count);
        }
      }
    },
  });
}
