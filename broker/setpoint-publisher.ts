import { DermsError } from '../domain/errors';
import {
  connectToBroker,
  reconnectDelayMs,
  type BrokerConnection,
  type BrokerContext,
  type BrokerOptions,
} from './connection';
import { PublishLine } from './publish-line';
import { runPublish, type OutgoingMessage, type PublishOptions, type PublishOutcome } from './publish-run';
import { RepeatedErrors } from './repeated-errors';

export type { OutgoingMessage, PublishOptions, PublishOutcome } from './publish-run';

export interface SetpointPublisher {
  /** Rises with each new session at the broker; 0 before the first. What an older session acknowledged may be lost. */
  readonly session: number;
  readonly connected: boolean;
  /**
   * Publishes retained messages with QoS 1 and tells each one's fate; a single failure never rejects.
   *
   * @throws {DermsError} BROKER_UNAVAILABLE when there is no connection: nothing was sent, nothing is queued.
   */
  publish(messages: readonly OutgoingMessage[], options: PublishOptions): Promise<PublishOutcome>;
  /**
   * Removes the retained message of a topic.
   *
   * @throws {DermsError} BROKER_UNAVAILABLE when the broker did not confirm it within 2 s.
   */
  clearRetained(topic: string): Promise<void>;
  close(): Promise<void>;
}

export interface PublisherContext extends BrokerContext {
  /** Called for each new session before anything is published in it, again until it succeeds. */
  readonly onNewSession?: () => Promise<void>;
}

const CLEAR_WITHIN_MS = 2_000;
const ANNOUNCE_AGAIN_MS = 500;
/** Of an empty message, which removes what is retained and is itself kept nowhere. */
const CLEAR_EXPIRY_SECONDS = 60;

/**
 * A publisher that can be told to stop.
 *
 * mqtt.js sends again from its own store after a reconnect, which put old setpoints over newer ones. So a lost
 * connection ends its client for good, with its store, and a new one is made; nothing is queued while there is none.
 * All clients of one publisher have the same client id: the broker ends what is left of the old connection before it
 * welcomes the new one (MQTT 5 section 3.1.4).
 */
export function openSetpointPublisher(options: BrokerOptions, context: PublisherContext): SetpointPublisher {
  return new LinePublisher(options, { ...context, errors: new RepeatedErrors() });
}

class LinePublisher implements SetpointPublisher {
  session = 0;
  private line: PublishLine | null = null;
  private connection: BrokerConnection;
  private reconnecting: NodeJS.Timeout | undefined;
  private closing = false;
  private readonly announceErrors = new RepeatedErrors();

  constructor(
    private readonly options: BrokerOptions,
    private readonly context: PublisherContext,
  ) {
    this.connection = this.connect();
  }

  get connected(): boolean {
    return this.line !== null;
  }

  publish(messages: readonly OutgoingMessage[], options: PublishOptions): Promise<PublishOutcome> {
    if (this.line === null) {
      const { host, port } = this.options;
      return Promise.reject(
        new DermsError('BROKER_UNAVAILABLE', `There is no connection to the broker ${host}:${String(port)}.`),
      );
    }
    return runPublish(this.line, messages, options);
  }

  async clearRetained(topic: string): Promise<void> {
    const message = { key: topic, topic, payload: '', expirySeconds: CLEAR_EXPIRY_SECONDS };
    const signal = AbortSignal.timeout(CLEAR_WITHIN_MS);
    const { failed } = await this.publish([message], { signal, mayStillPublish: () => true });
    const [failure] = failed;
    if (failure !== undefined) throw new DermsError('BROKER_UNAVAILABLE', `${topic}: ${failure.reason}`);
  }

  close(): Promise<void> {
    this.closing = true;
    clearTimeout(this.reconnecting);
    return this.connection.close();
  }

  private connect(): BrokerConnection {
    const connection = connectToBroker(this.options, { reconnect: false }, this.context);
    const { client } = connection;
    let line: PublishLine | null = null;
    client.once('connect', () => {
      line = new PublishLine(client);
      void this.open(line);
    });
    client.once('close', () => {
      line?.lose();
      if (this.line === line) this.line = null;
      void connection.close();
      if (this.closing) return;
      this.reconnecting = setTimeout(() => {
        this.connection = this.connect();
      }, reconnectDelayMs());
    });
    return connection;
  }

  /** Until the session is announced it is not used: setpoints of the old one would count as acknowledged. */
  private async open(line: PublishLine): Promise<void> {
    while (!line.isLost) {
      try {
        await this.context.onNewSession?.();
        break;
      } catch (err) {
        const repeated = this.announceErrors.count(err instanceof Error ? err.message : String(err));
        if (repeated !== null)
          this.context.log.warn({ err, repeated }, 'the new broker session could not be announced');
        await new Promise((resolve) => setTimeout(resolve, ANNOUNCE_AGAIN_MS));
      }
    }
    if (line.isLost || this.closing) return;
    this.session += 1;
    this.line = line;
  }
}
