import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { repositoryRoot } from '../../../local/toolchain';

// A telling part of the adapter tests again, with PgBouncer in transaction mode in between: transactions that lock, advisory
// locks, plans with their statement timeouts, partitions and their upkeep past the pooler, telemetry in bulk, the sealer's
// changing hands. More, or all, of the adapter and end-to-end tests: DERMS_PROOF_THROUGH_PGBOUNCER='test/adapter test/e2e'.
const ASKED = process.env['DERMS_PROOF_THROUGH_PGBOUNCER']?.split(' ').filter(Boolean) ?? [];
const PART = [
  'test/adapter/db/partition-removal.test.ts',
  'test/adapter/db/plan-store.test.ts',
  'test/adapter/db/job-orders.test.ts',
  'test/adapter/audit/seal.test.ts',
  'test/adapter/db/telemetry-store.test.ts',
  'test/adapter/db/dispatches.test.ts',
  'test/adapter/db/emergency-stops.test.ts',
];

describe('the application', () => {
  it(
    'works behind PgBouncer in transaction mode',
    async () => {
      const jest = spawn(
        process.execPath,
        [
          require.resolve('jest/bin/jest'),
          ...(ASKED.length > 0 ? ASKED : PART),
          ...['--selectProjects', 'adapter', 'e2e', '--maxWorkers', '1'],
        ],
        {
          cwd: repositoryRoot(),
          env: { ...process.env, DERMS_TEST_THROUGH_PGBOUNCER: '1', DERMS_TEST_SERVERS: '' },
          stdio: ['ignore', 'pipe', 'pipe'],
        },
      );
      let said = '';
      for (const stream of [jest.stdout, jest.stderr])
        stream.setEncoding('utf8').on('data', (text: string) => {
          said = (said + text).slice(-20_000);
        });
      const [code] = (await once(jest, 'close')) as [number | null];
      expect(code === 0 ? 'passed' : said).toBe('passed');
      if (ASKED.length === 0)
        expect(said).toContain(`Test Suites: ${String(PART.length)} passed, ${String(PART.length)} total`);
    },
    ASKED.length === 0 ? 400_000 : 4 * 3_600_000,
  );
});
