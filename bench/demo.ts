import { randomUUID } from 'node:crypto';
import { join, resolve } from 'node:path';
import { Client } from 'pg';
import type { Database } from '../db/pool';
import { until, withSystem, type BenchSystem } from './system';

const REGISTRY = join(
  resolve(__dirname, __dirname.endsWith(join('dist', 'bench')) ? '../..' : '..'),
  'deploy/registry/demo.yaml',
);
const LOOPS = 2;

/** The system of `npm start`: every role, its fleet of 120 simulated devices and both control loops, for as long as `work` takes. */
export const withDemo = <T>(work: (bench: BenchSystem) => Promise<T>): Promise<T> =>
  withSystem({}, async (bench) => {
    const { system, db } = bench;
    await Promise.all([system.start('api'), system.start('worker')]);
    await system.derms('registry', 'apply', REGISTRY);
    await system.start('simulator', ['--registry', REGISTRY, '--seed', '1']);
    await until(() => bothHavePlanned(db), 60_000, 'the first cycles');
    return work(bench);
  });

async function bothHavePlanned(db: Database): Promise<true | null> {
  const { rows } = await db.query<{ roots: string }>(
    'select count(distinct root_feeder_id) as roots from control_cycles',
  );
  return Number(rows[0]?.roots) === LOOPS ? true : null;
}

/** A session of the superuser in the system's database. */
export async function adminOf({ system: { stack, environments } }: BenchSystem): Promise<Client> {
  const { host, port, superuser: user, password } = stack.postgres;
  const client = new Client({ host, port, user, password, database: environments.migrate['DB_NAME'] });
  await client.connect();
  return client;
}

/** Asks the API; answers the body. Rejects when that is not a success. */
export type Ask = (method: 'GET' | 'POST', path: string, body?: object) => Promise<Record<string, unknown>>;

/** The API as an operator who has signed in. */
export async function operatorOf({ system }: BenchSystem): Promise<Ask> {
  const authorization = `Bearer ${await system.signIn('operator')}`;
  return async (method, path, body) => {
    const response = await fetch(`${system.apiUrl}${path}`, {
      method,
      headers: { authorization, 'content-type': 'application/json', 'idempotency-key': randomUUID() },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const answer = (await response.json()) as Record<string, unknown>;
    if (!response.ok) throw new Error(`${path}: ${String(response.status)} ${JSON.stringify(answer)}`);
    return answer;
  };
}
