import { startPostgres as startWith, type PostgresOptions as Options, type PostgresServer } from '../servers/postgres';
import type { PostgresTools } from '../servers/tool';
import { readToolchain } from './toolchain';

export interface PostgresOptions extends Omit<Options, 'tools'> {
  /** Default: those that the set-up found. */
  readonly tools?: PostgresTools;
}

/** Starts a server as a direct child of ours and returns when it answers queries. Its log is `<dataDir>.log` by default. */
export function startPostgres(options: PostgresOptions): Promise<PostgresServer> {
  return startWith({ ...options, tools: options.tools ?? readToolchain().postgres });
}
