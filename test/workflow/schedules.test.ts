import { ensureSchedules } from '../../temporal/schedules';
import { SUPERVISOR_SCHEDULE_ID } from '../../workflows/messages';
import { createTestNamespace, type TestNamespace } from '../support/servers';

let temporal: TestNamespace;
beforeEach(async () => {
  temporal = await createTestNamespace();
});
afterEach(() => temporal.close());

describe('ensureSchedules', () => {
  it('makes the schedules once and finds them the same afterwards', async () => {
    expect(await ensureSchedules(temporal.client)).toEqual([SUPERVISOR_SCHEDULE_ID, 'maintain-time-series']);
    expect(await ensureSchedules(temporal.client)).toEqual([]);
  });

  it('brings a schedule that was changed by hand back to its declaration, and keeps an operator’s pause', async () => {
    await ensureSchedules(temporal.client);
    const handle = temporal.client.schedule.getHandle(SUPERVISOR_SCHEDULE_ID);
    await handle.pause('the grid is under repair');
    await handle.update((previous) => ({
      ...previous,
      spec: { intervals: [{ every: '1h' }] },
      action: { ...previous.action, memo: { declaredAs: 'by hand' } },
    }));
    expect(await ensureSchedules(temporal.client)).toEqual([SUPERVISOR_SCHEDULE_ID]);
    const { state, spec } = await handle.describe();
    expect(state).toMatchObject({ paused: true, note: 'the grid is under repair' });
    expect(spec.intervals?.[0]?.every).toBe(60_000);
  });
});
