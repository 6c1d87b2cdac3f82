import { Client } from 'pg';
import { postgresTls } from '../../tls/postgres-tls';
import { DermsError } from '../../domain/errors';
import { LONGEST_SILENCE_MS } from '../silence';
import type { PostgresAccess } from './server';

/**
 * Asks a server again and again whether it is there, and calls `onSilent` once when it has not answered for `ms`. A
 * statement on a server that hangs would never end, and one that is slow moves nothing either: only asking tells them
 * apart. What is refused was answered. Returns what ends the watch.
 */
export function watchServer(
  access: PostgresAccess,
  onSilent: (error: DermsError) => void,
  ms = LONGEST_SILENCE_MS,
): () => void {
  const { host, port } = access;
  const each = ms / 2;
  let asking: Client | null = null;
  const ask = (): void => {
    if (asking !== null) {
      end();
      onSilent(
        new DermsError(
          'TIMED_OUT',
          `the server at ${host}:${String(port)} has not answered for ${String(ms / 1000)} s`,
        ),
      );
      return;
    }
    const { tls, ...login } = access;
    const client = new Client({ ...login, ssl: postgresTls(tls), application_name: 'derms-backup-watch' });
    asking = client;
    client.on('error', () => undefined); // what it breaks rejects by itself
    client
      .connect()
      .then(() => client.query('select 1'))
      .catch(() => undefined)
      .finally(() => {
        if (asking === client) asking = null;
        client.end().catch(() => undefined);
      });
  };
  const timer = setInterval(ask, each);
  const end = (): void => {
    clearInterval(timer);
    if (asking !== null) destroySocket(asking);
  };
  return end;
}

/** Closes the socket at once: `end()` would wait for the statement that runs. */
export function destroySocket(client: Client): void {
  const { connection } = client as unknown as { connection?: { stream?: { destroy(): void } } }; // no public way in pg 8
  connection?.stream?.destroy();
}
