import { openClientTls, type ClientTls } from '../tls/client-tls';

/** How a role reaches one database. */
export interface PostgresLogin {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
  readonly password: string;
  /** Left out or null: in plain. */
  readonly tls?: ClientTls | null;
}

/**
 * Reads `postgres://user:password@host:port/database`, with `?sslmode=verify-full&sslrootcert=/path` for TLS; an access stays as it is.
 *
 * @throws {Error} when something is missing.
 */
export function accessOf(target: string | PostgresLogin): PostgresLogin {
  if (typeof target !== 'string') return target;
  const url = URL.canParse(target) ? new URL(target) : null;
  const database = url === null ? '' : decodeURIComponent(url.pathname.slice(1));
  if (
    url === null ||
    !/^postgres(ql)?:$/.test(url.protocol) ||
    url.username === '' ||
    url.hostname === '' ||
    database === ''
  )
    throw new Error('a target is written postgres://user:password@host:port/database');
  return {
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: url.port === '' ? 5432 : Number(url.port),
    database,
    user: decodeURIComponent(url.username),
    password: decodeURIComponent(url.password),
    tls: tlsOf(url.searchParams),
  };
}

function tlsOf(parameters: URLSearchParams): ClientTls | null {
  const mode = parameters.get('sslmode') ?? 'disable';
  if (mode === 'disable') return null;
  if (mode !== 'verify-full' && mode !== 'require') throw new Error('sslmode is disable, require or verify-full');
  const caPath = parameters.get('sslrootcert') ?? undefined;
  return openClientTls({ name: 'restore-target', caPath, verify: mode === 'verify-full' });
}
