import { createRefusalSums, type Refusal } from '../../../api/audit/refusal-sums';
import { createApiMetrics } from '../../../api/metrics';
import type { Actor, AuditEntry } from '../../../db/audit';
import { createLogger } from '../../../observability/logger';
import { Registry } from '../../../observability/metrics';

interface Written extends AuditEntry {
  readonly address: string;
}

const sums = (append?: (actor: Actor, entry: AuditEntry) => Promise<void>) => {
  const written: Written[] = [];
  const { auditFailures } = createApiMetrics(new Registry());
  const made = createRefusalSums({
    append:
      append ??
      (({ address }, entry) => {
        written.push({ address, ...entry });
        return Promise.resolve();
      }),
    failures: auditFailures,
    log: createLogger({ service: 'derms', role: 'test', level: 'silent', pretty: false }),
    now: () => new Date('2026-05-01T12:00:00Z'),
  });
  return { written, auditFailures, ...made };
};

const login = (address: string, subject = 'olga'): Refusal => ({
  actor: { user: 'anyone', role: 'anyone', requestId: 'r', address },
  ...{ action: 'auth.login', subject, code: 'UNAUTHENTICATED' },
});

it('the first attempt is written at once, what follows as one sum', async () => {
  const { add, stop, written } = sums();
  for (let attempt = 0; attempt < 1_000; attempt += 1) add(login('10.0.0.1'));
  expect(written).toMatchObject([{ subject: 'olga', outcome: 'refused', detail: { attempts: 1 } }]);
  await stop();
  expect(written.slice(1)).toEqual([
    {
      ...{ address: '10.0.0.1', action: 'auth.login', subject: 'olga', outcome: 'refused' },
      detail: {
        ...{ code: 'UNAUTHENTICATED', attempts: 999 },
        ...{ firstAt: '2026-05-01T12:00:00.000Z', lastAt: '2026-05-01T12:00:00.000Z' },
      },
    },
  ]);
});

it('addresses and users are told apart, up to a number; beyond it there is one sum', async () => {
  const { add, stop, written } = sums();
  for (let address = 0; address < 2_000; address += 1) add(login(String(address)));
  expect(written).toHaveLength(500);
  await stop();
  expect(written.slice(500)).toMatchObject([{ address: 'many', subject: 'many', detail: { attempts: 1_500 } }]);
});

it('a window that is over begins anew', async () => {
  const { add, flush, stop, written } = sums();
  add(login('10.0.0.1'));
  await flush();
  add(login('10.0.0.1'));
  await stop();
  expect(written.map(({ detail }) => detail['attempts'])).toEqual([1, 1]);
});

it('a database that refuses is counted, and nobody hears of it', async () => {
  const { add, stop, auditFailures } = sums(() => Promise.reject(new Error('away')));
  add(login('10.0.0.1'));
  add(login('10.0.0.1'));
  await stop();
  expect((await auditFailures.get()).values[0]?.value).toBe(2);
});
