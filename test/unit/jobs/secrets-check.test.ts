import { secretAges, type ToldSecretFact } from '../../../domain/secret-age';
import { job } from '../../../jobs/secrets-check';
import type { JobContext } from '../../../jobs/runner/context';

const NOW = Date.parse('2026-05-01T12:00:00Z');
const secret = (name: string, madeOn: string | null): ToldSecretFact => ({
  ...{ kind: 'secret', name, toldBy: 'jobs-0', madeOn, expiresAtMs: null, fault: null },
});

async function check(facts: readonly ToldSecretFact[]) {
  const lines: unknown[] = [];
  const evidence: unknown[] = [];
  const line = (fields: object, message: string): unknown => lines.push([fields, message]);
  const context = {
    log: { info: line, warn: line, error: line },
    evidence: (kind: string, data: object) => Promise.resolve(evidence.push([kind, data])),
    ports: { secrets: { check: () => Promise.resolve({ ...secretAges(facts, NOW), forgotten: 2 }) } },
  } as unknown as JobContext; // the job asks for nothing else
  return { result: await job.steps[0]!.run(job.input.parse({}), context), lines, evidence };
}

it('names what is overdue, what is due, and what nobody knows the age of', async () => {
  const { result, lines, evidence } = await check([
    secret('AUTH_USERS', '2026-04-01'),
    secret('DB_PASSWORD', '2026-01-01'),
    secret('JWT_SECRET', '2026-02-10'),
    secret('MQTT_PASSWORD', null),
  ]);

  expect(result).toEqual({
    problems: ['DB_PASSWORD is 120 days old, more than 90'],
    overdue: ['DB_PASSWORD'],
    due: ['JWT_SECRET'],
    undated: ['MQTT_PASSWORD'],
    secrets: 4,
    certificates: 0,
    forgotten: 2,
  });
  expect(lines).toEqual([
    [{}, 'DB_PASSWORD is 120 days old, more than 90'],
    [{ secret: 'JWT_SECRET' }, 'is to be changed within two weeks'],
    [{ secret: 'MQTT_PASSWORD', reason: 'no process tells of it' }, 'nobody knows how old it is'],
  ]);
  expect(evidence).toMatchObject([
    ['secret-ages', { secrets: [{ name: 'AUTH_USERS', ageDays: 30, state: 'ok' }, {}, {}, {}] }],
  ]);
});
