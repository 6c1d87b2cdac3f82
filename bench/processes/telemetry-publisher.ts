import { connectAsync } from 'mqtt';
import { DEVICES, deviceId, telemetryMessage } from './fleet-message';

export interface PublisherOrder {
  readonly url: string;
  readonly messages: number;
  /** Even pace; as fast as it goes when null. */
  readonly perSecond: number | null;
}

export type PublisherReport = { readonly event: 'published'; readonly messages: number; readonly seconds: number };

const WINDOW = 2_000;
const TICK_MS = 10;

/** Publishes telemetry of the fleet with QoS 1 and reports when the broker has acknowledged all of it. */
async function publish({ url, messages, perSecond }: PublisherOrder): Promise<PublisherReport> {
  const client = await connectAsync(url, { protocolVersion: 5, clientId: 'bench-publisher' });
  const startedAt = performance.now();
  const firstMs = Date.now() - Math.ceil(messages / DEVICES) * 1_000;
  let sent = 0;
  let acknowledged = 0;
  const due = (): number =>
    perSecond === null ? messages : Math.min(messages, (perSecond * (performance.now() - startedAt)) / 1000);
  await new Promise<void>((resolve, reject) => {
    const send = (): void => {
      for (const until = due(); sent < until && sent - acknowledged < WINDOW; sent += 1) {
        const device = sent % DEVICES;
        // A backlog holds the past, a sample of each device each second; live samples are of now.
        const timestampMs = perSecond === null ? firstMs + Math.floor(sent / DEVICES) * 1_000 : Date.now();
        client.publish(
          `der/telemetry/ev/${deviceId(device)}`,
          telemetryMessage(device, timestampMs),
          { qos: 1 },
          (error) => {
            if (error) reject(error);
            acknowledged += 1;
            if (acknowledged === messages) resolve();
            else if (perSecond === null && sent - acknowledged < WINDOW / 2) send();
          },
        );
      }
    };
    send();
    if (perSecond !== null) setInterval(send, TICK_MS);
  });
  await client.endAsync();
  return { event: 'published', messages, seconds: (performance.now() - startedAt) / 1000 };
}

process.once('message', (order) => {
  void publish(order as PublisherOrder).then((report) => {
    process.send?.(report);
    process.disconnect();
    process.exit(0);
  });
});
