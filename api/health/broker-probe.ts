/** The part of a broker connection that is looked at; `broker/connection.ts` fits. */
export interface ProbedBroker {
  readonly client: {
    once(event: 'connect', listener: () => void): unknown;
    off(event: 'connect', listener: () => void): unknown;
  };
  readonly connected: boolean;
  probe(withinMs: number): Promise<boolean>;
}

/** Rejects when the broker does not answer within `withinMs`; one that is just being connected to gets that long. */
export async function askBroker(broker: ProbedBroker, withinMs: number): Promise<void> {
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
