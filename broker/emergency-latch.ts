import { parseEmergencyStop, type HeldEmergencyStop } from '../contracts/emergency-stop';
import { isRefusal } from '../contracts/envelope';
import { topics } from '../contracts/topics';
import { connectToBroker, type BrokerConnection, type BrokerContext, type BrokerOptions } from './connection';

/** The emergency stop that the broker holds, as a process that publishes there has to know it. */
export interface EmergencyLatch {
  /** `unknown` until the broker of the present connection has said what it holds; null when it holds none. */
  readonly held: HeldEmergencyStop | null | 'unknown';
  close(): Promise<void>;
}

/** Wait before a broker that did not let us hear is asked again, ms. */
const ASK_AGAIN_MS = 500;

/**
 * Listens to the retained stop of `<prefix>/emergency-stop`; `onChange` hears each new one, and null when it is gone.
 *
 * A broker sends what it retains before it answers what comes after the subscription: the answer to a ping tells that
 * there was none. A lost connection makes it unknown again, because the next broker may hold something else.
 */
export function watchEmergencyLatch(
  broker: BrokerOptions & { readonly prefix: string },
  onChange: (held: HeldEmergencyStop | null) => void,
  context: BrokerContext,
): EmergencyLatch {
  const connection = connectToBroker(broker, {}, context);
  const topic = topics(broker.prefix).emergencyStop;
  const state: { held: EmergencyLatch['held'] } = { held: 'unknown' };
  const hold = (held: HeldEmergencyStop | null): void => {
    const before = state.held;
    state.held = held;
    if (before === 'unknown' || before?.stopId !== held?.stopId) onChange(held);
  };
  const { client } = connection;
  client.on('message', (from, payload) => {
    if (from === topic) hold(stopOf(payload, context));
  });
  client.on('connect', () => {
    void hear(connection, topic, context, () => {
      if (state.held === 'unknown') hold(null);
    });
  });
  client.on('close', () => {
    state.held = 'unknown';
  });
  return {
    get held() {
      return state.held;
    },
    close: () => connection.close(),
  };
}

/** Subscribes, again until the broker grants it or the connection is lost. */
async function hear(
  connection: BrokerConnection,
  topic: string,
  { log }: BrokerContext,
  heardAll: () => void,
): Promise<void> {
  while (connection.connected) {
    const [granted] = await connection.client.subscribeAsync(topic, { qos: 1 }).catch(() => []);
    if (granted !== undefined && granted.qos <= 1 && (await connection.probe())) {
      heardAll();
      return;
    }
    if (wasLost(connection)) return; // the next connection asks
    log.error(
      { topic },
      'the broker does not say whether it holds an emergency stop; until it does nothing is published',
    );
    await new Promise((resolve) => setTimeout(resolve, ASK_AGAIN_MS));
  }
}

const wasLost = ({ connected }: BrokerConnection): boolean => !connected;

function stopOf(payload: Buffer, { log }: BrokerContext): HeldEmergencyStop | null {
  if (payload.length === 0) return null;
  const stop = parseEmergencyStop(payload);
  if (!isRefusal(stop)) return stop;
  log.error({ reason: stop.refused, detail: stop.detail }, 'what the broker retains as emergency stop is none');
  return null;
}
