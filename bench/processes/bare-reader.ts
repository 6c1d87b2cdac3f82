import { connect } from 'mqtt';

export interface ReaderOrder {
  readonly url: string;
  readonly clientId: string;
  readonly filter: string;
  readonly receiveMaximum: number;
  /** 0: only makes the session, so that the broker keeps a queue for it. */
  readonly messages: number;
}

export type ReaderReport =
  { readonly event: 'subscribed' } | { readonly event: 'read'; readonly messages: number; readonly seconds: number };

const SESSION_SECONDS = 3_600;

/** The reference: mqtt.js as it comes, which parses each message, counts it, and acknowledges it at once. */
function read({ url, clientId, filter, receiveMaximum, messages }: ReaderOrder): void {
  const client = connect(url, {
    protocolVersion: 5,
    clean: false,
    clientId,
    properties: { sessionExpiryInterval: SESSION_SECONDS, receiveMaximum },
  });
  let count = 0;
  let firstAt = 0;
  const end = (report: ReaderReport): void => {
    process.send?.(report);
    client.end(false, () => process.exit(0));
  };
  client.on('message', (_topic, payload) => {
    if (count === 0) firstAt = performance.now();
    const message = JSON.parse(payload.toString()) as { v?: unknown };
    if (message.v === 1) count += 1;
    if (count === messages) end({ event: 'read', messages, seconds: (performance.now() - firstAt) / 1000 });
  });
  client.once('connect', () => {
    client.subscribe(filter, { qos: 1 }, () => {
      if (messages === 0) end({ event: 'subscribed' });
    });
  });
}

process.once('message', (order) => {
  read(order as ReaderOrder);
});
