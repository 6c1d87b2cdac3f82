import { databaseAccess, DATABASE_SETTINGS } from '../config/connections';
import { loadSomeSettings } from '../config/load';
import { Secrets } from '../config/secrets';
import { choosePrimary } from '../domain/primary-choice';
import { createLogger } from '../observability/logger';
import { ShutdownList } from '../observability/shutdown';
import { postgresTls } from '../tls/postgres-tls';
import { startCheckServers } from './primary-check/check-servers';
import { readKnown, writeKnown } from './primary-check/known-file';
import { watchNode } from './primary-check/watch-node';

/**
 * `node dist/db/primary-check-main.js`, beside each HAProxy: tells it which PostgreSQL node may be written to. It stands on
 * timelines, which a stale primary cannot fake (`domain/primary-choice.ts`).
 */
async function main(): Promise<void> {
  const settings = loadSomeSettings(
    [
      ...DATABASE_SETTINGS,
      ...(['PRIMARY_CHECK_NODES', 'PRIMARY_CHECK_HOST', 'PRIMARY_CHECK_PORT', 'PRIMARY_CHECK_FILE'] as const),
      ...(['LOG_LEVEL', 'LOG_PRETTY'] as const),
    ],
    process.env,
  );
  const { PRIMARY_CHECK_NODES: nodes, PRIMARY_CHECK_FILE: file } = settings;
  if (nodes === undefined || file === undefined)
    throw new Error('PRIMARY_CHECK_NODES and PRIMARY_CHECK_FILE are required: see docs/configuration.md');
  const secrets = new Secrets(process.env);
  const log = createLogger({
    ...{ service: 'derms', role: 'primary-check', level: settings.LOG_LEVEL, pretty: settings.LOG_PRETTY },
    secrets: secrets.seen,
  });
  const shutdown = new ShutdownList(log, 3_000);
  shutdown.listen();

  let known = readKnown(file);
  let primary: string | null = null;
  const decide = (): void => {
    const seen = watches.map((watch) => watch.seen());
    const chosen = choosePrimary(seen, known);
    if (chosen.known.timeline !== known.timeline || chosen.known.node !== known.node) {
      writeKnown(file, chosen.known); // before anybody is sent there
      known = chosen.known;
    }
    if (chosen.primary === primary) return;
    primary = chosen.primary;
    log.info({ primary, timeline: known.timeline, nodes: seen }, primary === null ? 'no primary' : 'primary');
  };
  const { user, password, database, tls } = databaseAccess(settings, secrets);
  const watches = nodes.map(({ name, host, port }) =>
    watchNode(name, { host, port, database, user, password, ssl: postgresTls(tls) }, decide),
  );
  shutdown.add('nodes', async () => {
    await Promise.all(watches.map((watch) => watch.stop()));
  });
  const servers = await startCheckServers(
    {
      names: nodes.map(({ name }) => name),
      primary: () => primary,
      state: () => ({ primary, known, nodes: watches.map((watch) => watch.seen()) }),
    },
    { host: settings.PRIMARY_CHECK_HOST, port: settings.PRIMARY_CHECK_PORT },
  );
  shutdown.add('http', () => servers.close());
  log.info({ port: settings.PRIMARY_CHECK_PORT }, 'listening');
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
});
