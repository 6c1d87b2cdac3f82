import { Counter, Gauge, type Registry } from '../observability/metrics';
import type { BrokerPlace } from './pair';

const figuresOf = new WeakMap<Registry, BrokerFigures>();

/** The figures of a process's connections to its brokers; a registry has them once, whoever asks first. */
export function brokerFigures(registry: Registry): BrokerFigures {
  const known = figuresOf.get(registry);
  if (known !== undefined) return known;
  const figures = new BrokerFigures(registry);
  figuresOf.set(registry, figures);
  return figures;
}

/**
 * Which brokers this process is connected to, and which of them it goes by: the one in use stays in use until it is
 * lost; going on at another one is a failover.
 */
export class BrokerFigures {
  private readonly up: Gauge;
  private readonly connected: Gauge<'broker'>;
  private readonly inUse: Gauge<'broker'>;
  private readonly disconnects: Counter;
  private readonly failovers: Counter;
  private readonly reached = new Set<BrokerPlace>();
  private readonly known = new Set<BrokerPlace>();
  private used: BrokerPlace | null = null;
  private usedLast: BrokerPlace | null = null;

  constructor(registry: Registry) {
    const registers = [registry];
    const up = registry.getSingleMetric('derms_mqtt_up');
    this.up =
      up instanceof Gauge
        ? up
        : new Gauge({ name: 'derms_mqtt_up', help: '1 while this process is connected to a broker.', registers });
    this.connected = new Gauge({
      name: 'derms_mqtt_broker_up',
      help: '1 while this process is connected to this broker (primary: MQTT_HOST, standby: MQTT_STANDBY_HOST).',
      labelNames: ['broker'],
      registers,
    });
    this.inUse = new Gauge({
      name: 'derms_mqtt_broker_in_use',
      help: '1 for the broker that this process goes by, until it is lost.',
      labelNames: ['broker'],
      registers,
    });
    this.disconnects = new Counter({
      name: 'derms_mqtt_disconnects_total',
      help: 'Connections to a broker that were lost; also those that were back before the next scrape.',
      registers,
    });
    this.failovers = new Counter({
      name: 'derms_mqtt_failovers_total',
      help: 'Times that this process lost the broker in use and went on at the other one.',
      registers,
    });
    this.show();
  }

  /** A broker that may be connected to: shown with 0 until it is. */
  expect(place: BrokerPlace): void {
    this.known.add(place);
    this.show();
  }

  reach(place: BrokerPlace): void {
    this.reached.add(place);
    if (this.used === null) this.use(place);
    this.show();
  }

  leave(place: BrokerPlace): void {
    this.reached.delete(place);
    if (this.used === place) {
      this.usedLast = place;
      this.used = null;
      const [other] = this.reached;
      if (other !== undefined) this.use(other);
    }
    this.show();
  }

  /** The same, without having been asked to. */
  lose(place: BrokerPlace): void {
    this.disconnects.inc();
    this.leave(place);
  }

  private use(place: BrokerPlace): void {
    if (this.usedLast !== null && this.usedLast !== place) this.failovers.inc();
    this.used = place;
    this.usedLast = place;
  }

  private show(): void {
    this.up.set(this.reached.size > 0 ? 1 : 0);
    for (const broker of this.known) {
      this.connected.set({ broker }, this.reached.has(broker) ? 1 : 0);
      this.inUse.set({ broker }, this.used === broker ? 1 : 0);
    }
  }
}
