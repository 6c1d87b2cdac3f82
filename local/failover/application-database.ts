import { openDatabase, type Database } from '../../db/pool';
import { createLogger } from '../../observability/logger';
import type { TestSystem } from '../test-system';

const CANARY_TIMEOUT_MS = 2_000;

/** The database of a system as its programs reach it: their role, their road. */
export function openApplicationDatabase(
  { environments }: Pick<TestSystem, 'environments'>,
  { timeoutMs = CANARY_TIMEOUT_MS, poolSize = 2 }: { readonly timeoutMs?: number; readonly poolSize?: number } = {},
): Database {
  const log = createLogger({ service: 'derms', role: 'laboratory', level: 'silent', pretty: false });
  const { DB_HOST: host = '', DB_PORT: port, DB_NAME: database = '' } = environments.worker;
  const { DB_USER: user = '', DB_PASSWORD: password = '' } = environments.worker;
  return openDatabase(
    {
      ...{ host, port: Number(port), database, user, password, poolSize },
      ...{ connectTimeoutMs: timeoutMs, queryTimeoutMs: timeoutMs, applicationName: 'laboratory' },
    },
    log,
  );
}
