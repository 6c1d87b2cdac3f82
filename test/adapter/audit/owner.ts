import { Client } from 'pg';
import { testServers, type TestDatabase } from '../../support/servers';

/** A connection of who owns the schema and may do anything: the one that the chain is to guard against. */
export async function connectAsOwner({ name }: TestDatabase): Promise<Client> {
  const { host, port, adminUser, adminPassword } = testServers().postgres;
  const client = new Client({ host, port, user: adminUser, password: adminPassword, database: name });
  await client.connect();
  return client;
}

const TABLES = ['audit_log', 'audit_chain', 'audit_heads'] as const;

/** Takes away what refuses changes, as somebody who tampers would. */
export async function disarm(owner: Client): Promise<void> {
  for (const table of TABLES) await owner.query(`alter table ${table} disable trigger only_added_to`);
}
