import { Client, Connection } from '@temporalio/client';
import { openDatabase, type Database } from '../db/pool';
import { startTestSystem, type TestSystem, type TestSystemOptions } from '../local/test-system';
import { createLogger } from '../observability/logger';
import { createWorkflowStarter, type WorkflowStarter } from '../temporal/workflow-starter';

export interface BenchSystem {
  readonly system: TestSystem;
  readonly db: Database;
  readonly workflows: WorkflowStarter;
}

/** The whole system with a durable Postgres, for as long as `work` takes. */
export async function withSystem<T>(options: TestSystemOptions, work: (bench: BenchSystem) => Promise<T>): Promise<T> {
  const system = await startTestSystem({ profile: 'durable', ...options });
  const env = system.environments.worker;
  const db = openDatabase(
    {
      host: system.stack.postgres.host,
      port: system.stack.postgres.port,
      database: env['DB_NAME'] ?? '',
      user: env['DB_USER'] ?? '',
      password: env['DB_PASSWORD'] ?? '',
      poolSize: 2,
      connectTimeoutMs: 5_000,
      queryTimeoutMs: 60_000,
      applicationName: 'derms-bench',
    },
    createLogger({ service: 'derms', role: 'bench', level: 'warn', pretty: false }),
  );
  const connection = await Connection.connect({ address: system.stack.temporal.address });
  const workflows = createWorkflowStarter(new Client({ connection, namespace: system.stack.temporal.namespace }));
  try {
    return await work({ system, db, workflows });
  } finally {
    await connection.close();
    await db.close();
    await system.stop();
  }
}

/** Asks until there is an answer, each 20 ms. */
export async function until<T>(ask: () => Promise<T | null> | T | null, withinMs: number, what: string): Promise<T> {
  const end = Date.now() + withinMs;
  for (;;) {
    const answer = await ask();
    if (answer !== null) return answer;
    if (Date.now() > end) throw new Error(`${what}: not within ${String(withinMs)} ms`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
