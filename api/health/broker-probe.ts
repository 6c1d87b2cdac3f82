/** The part of a broker connection that is looked at; `broker/connection.ts` fits. */
export interface ProbedBroker {
  readonly client: {
    on(event: 'close', listener: () => void): unknown;
    once(event: 'connect', listener: () => void): unknown;
    off(event: 'connect', listener: () => void): unknown;
  };
  readonly connected: boolean;
  probe(withinMs: number): Promise<boolean>;
}

export interface BrokerProbe {
  /** Rejects when the broker does not answer within `withinMs`. */
  ask(withinMs: number): Promise<void>;
  /**
   * The present connection was never lost since a broker last answered. A standby takes over within a fraction of a
   * second, which nobody would see between two looks: what was lost stays visible until the next look.
   */
  readonly unbroken: boolean;
}

export function probeBroker(broker: ProbedBroker): BrokerProbe {
  let losses = 0;
  let lossesAtAnswer = 0;
  broker.client.on('close', () => {
    losses += 1;
  });
  return {
    async ask(withinMs) {
      await askBroker(broker, withinMs);
      lossesAtAnswer = losses;
    },
    get unbroken() {
      return broker.connected && losses === lossesAtAnswer;
    },
  };
}

/** Rejects when the broker does not answer within `withinMs`; one that is just being connected to gets that long. */
async function askBroker(broker: ProbedBroker, withinMs: number): Promise<void> {
  const until = performance.now() + withinMs;
  if (!broker.connected) await connected(broker, withinMs);
  if (!(await broker.probe(Math.max(1, until - performance.now())))) throw new Error('it does not answer a ping');
}

function connected({ client }: ProbedBroker, withinMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const onConnect = (): void => {
      clearTimeout(timer);
      resolve();
    };
    const timer = setTimeout(() => {
      client.off('connect', onConnect);
      reject(new Error('there is no connection'));
    }, withinMs);
    client.once('connect', onConnect);
  });
}
