import type { MosquittoOptions } from '../../../local/mosquitto';
import { startOwnBroker, type OwnBroker } from './own-broker';

/** Two brokers that know nothing of each other, as clients are told of them. */
export interface OwnPair {
  readonly primary: OwnBroker;
  readonly standby: OwnBroker;
  readonly options: {
    readonly host: string;
    readonly port: number;
    readonly standby: { readonly host: string; readonly port: number };
  };
  /** Both run again, whatever a test did to them. */
  heal(): Promise<void>;
  remove(): Promise<void>;
}

export async function startOwnPair(options: Partial<MosquittoOptions> = {}): Promise<OwnPair> {
  const [primary, standby] = await Promise.all([startOwnBroker(options), startOwnBroker(options)]);
  const both = [primary, standby];
  return {
    primary,
    standby,
    options: { host: primary.host, port: primary.port, standby: { host: standby.host, port: standby.port } },
    heal: async () => {
      for (const broker of both) {
        broker.process.resume();
        if (!broker.process.isRunning()) await broker.restart();
      }
    },
    remove: async () => {
      await Promise.all(both.map((broker) => broker.remove()));
    },
  };
}
