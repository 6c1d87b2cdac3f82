import { Client, type ClientConfig } from 'pg';
import type { ConnectPacer } from './connect-pacer';

/** A server that hangs never says goodbye: our end of the connection is closed all the same, ms. */
const GOODBYE_MS = 1_000;

/**
 * `pg`'s client as our pools have it: it connects when the pacer lets it (the pool's own time limit goes on meanwhile), and
 * its end is bounded also when the server hangs.
 */
export function poolClient(pacer: ConnectPacer): typeof Client {
  class PoolClient extends Client {
    constructor(config?: ClientConfig) {
      super(config);
      this.on('error', () => {
        pacer.failed();
      });
    }

    override connect(callback?: unknown): Promise<never> {
      const done = callback as (error?: Error | null) => void; // what a pool hands in
      const told = (error?: Error | null): void => {
        if (error === undefined || error === null) pacer.succeeded();
        else pacer.failed();
        done(error);
      };
      const connect = (): void => {
        super.connect(told as (error: Error) => void);
      };
      const pauseMs = pacer.pauseMs();
      if (pauseMs === 0) connect();
      else setTimeout(connect, pauseMs);
      return undefined as never; // a pool looks at its callback only
    }

    override end(callback?: unknown): Promise<void> {
      setTimeout(() => {
        destroySocket(this);
      }, GOODBYE_MS).unref();
      if (callback === undefined) return super.end();
      super.end(callback as () => void);
      return undefined as never; // who hands in a callback looks at nothing else
    }
  }
  return PoolClient;
}

/** Closes the socket at once: the server notices, if it still can, and ends what runs. */
export function destroySocket(client: object): void {
  const { connection } = client as { connection?: { stream?: { destroy(): void } } }; // no public way in pg 8
  connection?.stream?.destroy();
}
