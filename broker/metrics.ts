import { Counter, Gauge, type Registry } from '../observability/metrics';

export interface BrokerMetrics {
  readonly up: Gauge;
  readonly disconnects: Counter;
}

/** The two figures of a process's connection to the broker; a registry has them once, whoever asks first. */
export function brokerMetrics(registry: Registry): BrokerMetrics {
  const up = registry.getSingleMetric('derms_mqtt_up');
  const disconnects = registry.getSingleMetric('derms_mqtt_disconnects_total');
  const registers = [registry];
  return {
    up:
      up instanceof Gauge
        ? up
        : new Gauge({ name: 'derms_mqtt_up', help: '1 while this process is connected to the broker.', registers }),
    disconnects:
      disconnects instanceof Counter
        ? disconnects
        : new Counter({
            name: 'derms_mqtt_disconnects_total',
            help: 'Connections to the broker that were lost; also those that were back before the next scrape.',
            registers,
          }),
  };
}
