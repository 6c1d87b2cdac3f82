/** One broker of a pair, by a connection of its own; `broker/connection.ts` fits. */
export interface WatchedBroker {
  readonly place: 'primary' | 'standby';
  readonly connection: { readonly connected: boolean };
}

export interface BrokerPairWatch {
  /** A broker that is away while the other one serves everybody, a sentence; the loss of both is the dependency's. */
  problems(): readonly string[];
}

/** Nobody misses the broker that is not in use, until it is needed. */
export const watchBrokerPair = (brokers: readonly WatchedBroker[]): BrokerPairWatch => ({
  problems() {
    const away = brokers.filter(({ connection }) => !connection.connected);
    if (away.length === brokers.length) return [];
    return away.map(({ place }) => `the ${place} MQTT broker does not answer: the loss of the other is an outage`);
  },
});
