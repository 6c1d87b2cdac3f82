import { createPlanningTurns } from '../../../api/planning/turns';

/** Work that ends when it is told to. */
function held() {
  let end: () => void = () => undefined;
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  return { work: () => ended, end };
}
const settled = () => new Promise((resolve) => setTimeout(resolve, 20));

it('makes one plan at a time, in the order they came', async () => {
  const turns = createPlanningTurns({ mostWaiting: 8, waitMs: 5_000 });
  const first = held();
  const order: string[] = [];
  const plans = [
    turns.take(first.work).then(() => order.push('first')),
    turns.take(() => Promise.resolve()).then(() => order.push('second')),
    turns.take(() => Promise.resolve()).then(() => order.push('third')),
  ];
  await settled();
  expect(order).toEqual([]);
  first.end();
  await Promise.all(plans);
  expect(order).toEqual(['first', 'second', 'third']);
});

it('turns away who finds the line full', async () => {
  const turns = createPlanningTurns({ mostWaiting: 1, waitMs: 5_000 });
  const first = held();
  const plans = [turns.take(first.work), turns.take(() => Promise.resolve())];
  await expect(turns.take(() => Promise.resolve())).rejects.toMatchObject({
    code: 'TOO_MANY_REQUESTS',
    message: '1 requests for plans wait in line already.',
  });
  first.end();
  await Promise.all(plans);
});

it('lets nobody wait longer than it says, and the next of those who wait takes the turn', async () => {
  const turns = createPlanningTurns({ mostWaiting: 8, waitMs: 50 });
  const first = held();
  const running = turns.take(first.work);
  await expect(turns.take(() => Promise.resolve('late'))).rejects.toMatchObject({ code: 'TOO_MANY_REQUESTS' });
  const waits = turns.take(() => Promise.resolve('in time'));
  first.end();
  await running;
  expect(await waits).toBe('in time');
});

it('goes on after a plan that failed', async () => {
  const turns = createPlanningTurns({ mostWaiting: 8, waitMs: 5_000 });
  await expect(turns.take(() => Promise.reject(new Error('no such cycle')))).rejects.toThrow('no such cycle');
  expect(await turns.take(() => Promise.resolve('planned'))).toBe('planned');
});
