import { hashTables } from '../postgres/content-hash';
import type { PostgresAccess } from '../postgres/server';
import { pinFormats } from '../postgres/snapshot';
import type { ManifestTable } from '../manifest-schema';
import { withClient } from './admin-client';

/**
 * Every table of a restored database with its rows and content hash, made as the manifest's were. Ends at once when
 * `signal` fires, and when the server has not answered for `silenceMs`.
 */
export const contentOf = (
  access: PostgresAccess,
  signal: AbortSignal,
  silenceMs?: number,
): Promise<readonly ManifestTable[]> =>
  withClient(
    access,
    'derms-restore',
    async (client) => {
      await pinFormats(client);
      return hashTables(client);
    },
    { signal, ...(silenceMs === undefined ? {} : { silenceMs }) },
  );
