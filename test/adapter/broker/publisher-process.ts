import { openSetpointPublisher, type OutgoingMessage } from '../../../broker/setpoint-publisher';
import { testLog } from '../../support/servers';

/** What the parent sends: publish these until `withinMs` is over, and say so at each hundredth message. */
export interface PublishOrder {
  readonly host: string;
  readonly port: number;
  readonly clientId: string;
  readonly messages: readonly OutgoingMessage[];
  readonly withinMs: number;
}

process.once('message', (order) => {
  const { host, port, clientId, messages, withinMs } = order as PublishOrder; // the parent is a test
  const publisher = openSetpointPublisher({ host, port, clientId }, { log: testLog });
  const connecting = setInterval(() => {
    if (!publisher.connected) return;
    clearInterval(connecting);
    const deadline = performance.now() + withinMs;
    let sent = 0;
    const mayStillPublish = (): boolean => {
      if (performance.now() >= deadline) return false;
      sent += 1;
      if (sent % 100 === 0) process.send?.({ sent });
      return true;
    };
    // A small window leaves the parent time to stop us in the middle.
    void publisher
      .publish(messages, { signal: new AbortController().signal, mayStillPublish, windowSize: 1 })
      .then((outcome) => process.send?.({ outcome }));
  }, 5);
});
