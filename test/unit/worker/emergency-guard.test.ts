import type { HeldEmergencyStop } from '../../../contracts/emergency-stop';
import type { EmergencyStop } from '../../../domain/fleet';
import { createLogger } from '../../../observability/logger';
import { guardAgainstEmergencyStop } from '../../../worker/emergency-guard';

const STOP = '11111111-1111-4111-8111-111111111111';
const OTHER = '22222222-2222-4222-8222-222222222222';
const held: HeldEmergencyStop = { stopId: STOP, safeState: 'zero', reason: 'fire', engagedBy: 'ann', engagedAtMs: 0 };
const log = createLogger({ service: 'derms', role: 'test', level: 'silent', pretty: false });

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
});

function scene(answers: (EmergencyStop | null | Error)[]) {
  const world = { held: held as HeldEmergencyStop | null | 'unknown', cleared: 0, asked: 0 };
  const guard = guardAgainstEmergencyStop({
    latch: () => world.held,
    adopt: () => {
      const answer = answers[Math.min(world.asked, answers.length - 1)]!;
      world.asked += 1;
      return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
    },
    clear: () => {
      world.cleared += 1;
      return Promise.resolve();
    },
    log,
  });
  return { world, guard };
}

it('keeps everything back until the broker has said what it holds', () => {
  const { world, guard } = scene([null]);
  world.held = 'unknown';
  expect(guard.objection(null)).toBe('it is not known yet whether the broker holds an emergency stop');
  world.held = null;
  expect(guard.objection(null)).toBeNull();
  expect(guard.objection(STOP)).toBeNull(); // Postgres knows of it, the broker does not
  guard.stop();
});

it('keeps everything back while Postgres is away, and then lets through what was planned under the stop', async () => {
  const { world, guard } = scene([new Error('away'), new Error('away'), { stopId: STOP, safeState: 'zero' }]);
  guard.heard();
  await jest.advanceTimersByTimeAsync(600);
  expect(world.asked).toBe(2);
  expect([guard.objection(null), guard.objection(STOP)]).toEqual([
    `the broker holds the emergency stop ${STOP}`,
    `the broker holds the emergency stop ${STOP}`,
  ]);
  await jest.advanceTimersByTimeAsync(500);
  expect([guard.objection(null), guard.objection(STOP)]).toEqual(['an emergency stop came or went', null]);
  guard.stop();
});

it('goes by the stop that was in force already when the broker holds one that joined it', async () => {
  const { guard } = scene([{ stopId: OTHER, safeState: 'default' }]);
  await jest.advanceTimersByTimeAsync(500);
  expect([guard.objection(STOP), guard.objection(OTHER)]).toEqual(['an emergency stop came or went', null]);
  guard.stop();
});

it('clears what the broker holds of a stop that was lifted, again until it is gone', async () => {
  const { world, guard } = scene([{ stopId: STOP, safeState: 'zero' }, null]);
  await jest.advanceTimersByTimeAsync(500);
  expect(world.cleared).toBe(0);
  await jest.advanceTimersByTimeAsync(1_000);
  expect(world.cleared).toBe(2);
  expect(guard.objection(null)).toBeNull();
  world.held = null;
  await jest.advanceTimersByTimeAsync(2_000);
  expect(world.cleared).toBe(2);
  guard.stop();
});
