import { CHECKS } from '../../local/production-shape/checks';
import { FAULTS } from '../../local/production-shape/faults';
import { startFleet, startProductionShape, type ProductionShape } from '../../local/production-shape/shape';

// The system as production runs it: the production server of Temporal on its own PostgreSQL, ours with a standby behind
// PgBouncer and HAProxy, two brokers with TLS, two of each role, from the very files of docker-compose.yml and deploy/.

let shape: ProductionShape;
const told: string[] = [];

beforeAll(async () => {
  shape = await startProductionShape({ say: (line) => told.push(line) });
  await startFleet(shape);
}, 600_000);
afterAll(async () => {
  await shape.stop();
  process.stdout.write(`${told.join('\n')}\n`);
}, 120_000);

it('runs two of each of our processes, and what they need', () => {
  expect(
    shape.parts
      .all()
      .map(({ name }) => name)
      .sort(),
  ).toEqual([
    'alertmanager',
    'api-a',
    'api-b',
    'broker-agent-active',
    'broker-agent-standby',
    'control-a',
    'control-b',
    'haproxy (api)',
    'haproxy (postgres)',
    'ingest-a',
    'ingest-b',
    'jobs-a',
    'jobs-b',
    'mosquitto-active',
    'mosquitto-standby',
    'pgbouncer',
    'postgres a (primary)',
    'postgres b (standby)',
    'primary check',
    'prometheus',
    'simulator',
    'storage',
    'temporal',
    'temporal-postgres',
  ]);
});

it.each([...CHECKS, ...FAULTS])(
  '$name',
  async ({ name, run }) => {
    told.push(`${name}: ${await run(shape)}`);
  },
  300_000,
);
