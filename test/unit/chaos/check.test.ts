import { checkRecords } from '../../../chaos/check/check';
import type { ChaosRecords } from '../../../chaos/records';
import { at, dispatchOf, goodRecords, heardOf, loop, plan, sample } from './records';

/** Invariants that do not hold, with what is said of them. */
const broken = (records: ChaosRecords): string[] =>
  checkRecords(records)
    .filter(({ holds }) => !holds)
    .map(({ invariant }) => invariant);

const doctored = (change: (records: ChaosRecords) => Partial<ChaosRecords>): string[] => {
  const records = goodRecords();
  return broken({ ...records, ...change(records) });
};

it('finds nothing against a run in which all is well', () => {
  expect(broken(goodRecords())).toEqual([]);
});

it('says of nothing that it holds where nothing was recorded', () => {
  const empty = doctored((records) => ({
    telemetry: { ...records.telemetry, acknowledged: [], stored: [] },
    setpoints: { heard: [], retained: [], plans: [], standing: [] },
  }));
  expect(empty).toEqual(
    expect.arrayContaining(['every acknowledged reading is stored', 'every setpoint is of a stored plan']),
  );
});

describe('telemetry', () => {
  const without = (second: number) => (records: ChaosRecords) => ({
    telemetry: {
      ...records.telemetry,
      stored: records.telemetry.stored.filter(({ sampledAtMs }) => sampledAtMs !== at(second)),
    },
  });

  it('misses an acknowledged reading that is not stored', () => {
    expect(doctored(without(70))).toEqual(['every acknowledged reading is stored']);
  });

  it('forgives one that its broker took within a save interval before it was killed, and counts it', () => {
    expect(doctored(without(35))).toEqual([]);
    const records = goodRecords();
    const [telemetry] = checkRecords({ ...records, ...without(35)(records) });
    expect(telemetry!.detail).toContain('1 of them gone with a broker');
  });

  it.each([
    ['that was taken longer before', 20, 'broker-a', 'kill'],
    ['whose broker was another', 35, 'broker-b', 'kill'],
    ['whose broker only hung', 35, 'broker-a', 'hang'],
  ] as const)('does not forgive one %s', (_what, second, target, kind) => {
    const against = doctored((records) => ({
      ...without(second)(records),
      faults: [{ target, kind, beganAtMs: at(40), endedAtMs: at(44) }],
    }));
    expect(against).toEqual(['every acknowledged reading is stored']);
  });

  it('sees a reading that is stored twice', () => {
    const against = doctored(({ telemetry }) => ({
      telemetry: { ...telemetry, stored: [...telemetry.stored, ...telemetry.stored.slice(3, 4)] },
    }));
    expect(against).toEqual(['no reading is stored twice']);
  });
});

describe('setpoints', () => {
  const alsoHeard =
    (...more: readonly ReturnType<typeof heardOf>[]) =>
    ({ setpoints }: ChaosRecords) => ({
      setpoints: { ...setpoints, heard: [...setpoints.heard, ...more] },
    });
  const LAST = 20;

  it('takes the same content again for the same setpoint', () => {
    expect(doctored(alsoHeard(heardOf(LAST)))).toEqual([]);
  });

  it('sees two different ones for a device in one cycle', () => {
    expect(doctored(alsoHeard(heardOf(LAST, { targetPowerKw: 3 })))).toEqual(['a device gets one setpoint per cycle']);
    expect(doctored(alsoHeard(heardOf(LAST, { messageId: 'another' })))).toEqual([
      'a device gets one setpoint per cycle',
    ]);
  });

  it('sees one of a plan that was never stored', () => {
    const against = doctored(alsoHeard(heardOf(LAST, { planId: 'of-nobody', messageId: 'm' })));
    expect(against).toContain('every setpoint is of a stored plan');
  });

  it('sees an older cycle after a newer one at one broker, and not at two', () => {
    expect(doctored(alsoHeard(heardOf(12)))).toEqual(['cycle numbers rise']);
    expect(doctored(alsoHeard(heardOf(12, { broker: 'broker-b' })))).toEqual([]);
  });

  it('lets a new chain begin with 1, and no old chain come after it', () => {
    const anew = plan(1, { planId: 'anew', chainId: 'chain-2', plannedAtMs: at(101) });
    const first = heardOf(LAST, {
      planId: 'anew',
      messageId: 'anew',
      timestampMs: at(101),
      heardAtMs: at(101.5),
      validUntilMs: at(161),
    });
    const inChain =
      (...more: readonly ReturnType<typeof heardOf>[]) =>
      ({ setpoints }: ChaosRecords) => ({
        setpoints: {
          ...{ heard: [...setpoints.heard, first, ...more], plans: [...setpoints.plans, anew] },
          retained: [{ ...first, retained: true }],
          standing: [{ deviceId: 'ev-1', planId: 'anew', validUntilMs: at(161) }],
        },
      });
    expect(doctored(inChain())).toEqual([]);
    expect(doctored(inChain(heardOf(LAST)))).toEqual(['cycle numbers rise']);
  });

  it.each([
    ['that the broker keeps for ever', { expirySeconds: null }],
    ['that the broker keeps beyond its end', { expirySeconds: 120 }],
    ['that is valid for longer than a setpoint may be', { validUntilMs: at(200) }],
    ['that came when it was over', { heardAtMs: at(175), expirySeconds: 0 }],
  ])('sees one %s', (_what, more) => {
    const against = doctored(({ setpoints }) => ({
      setpoints: { ...setpoints, heard: [...setpoints.heard.slice(0, -1), heardOf(LAST, more)] },
    }));
    expect(against).toEqual(['every setpoint expires by itself']);
  });

  it.each([
    ['an older plan’s', [heardOf(19, { retained: true })]],
    ['gone', [heardOf(LAST, { retained: true, deviceId: 'another' })]],
    ['over, and kept', [heardOf(LAST, { retained: true, heardAtMs: at(195) })]],
  ])('sees a retained one that is %s', (_what, retained) => {
    const against = doctored(({ setpoints }) => ({ setpoints: { ...setpoints, retained } }));
    expect(against).toEqual(['the retained setpoint is the newest plan’s']);
  });

  it('sees a retained one when a newer was heard, whatever Postgres says', () => {
    const against = doctored(({ setpoints }) => ({
      setpoints: {
        ...setpoints,
        retained: [heardOf(19, { retained: true })],
        standing: [{ deviceId: 'ev-1', planId: 'plan-19', validUntilMs: at(160) }],
      },
    }));
    expect(against).toEqual(['the retained setpoint is the newest plan’s']);
  });
});

describe('limits', () => {
  const LIMITS = 'limits held at the meter while telemetry was fresh';
  const flowing =
    (second: number, flowKw: number, lasts = 7) =>
    ({ limits }: ChaosRecords) => ({
      limits: {
        ...limits,
        flows: limits.flows.map((flow) =>
          flow.atMs >= at(second) && flow.atMs <= at(second + lasts) ? { ...flow, flowKw } : flow,
        ),
      },
    });

  it.each([
    ['over the import limit', 80, 110],
    ['over the export limit', 80, -60],
    ['over the limit of a dispatch that has held for a while', 49, 80],
  ])('sees a meter %s', (_what, second, flowKw) => {
    expect(doctored(flowing(second, flowKw))).toEqual([LIMITS]);
  });

  it.each([
    ['within what homes change between two cycles', 80, 103, 7],
    ['over it for less than a cycle', 80, 110, 4],
    ['just after a dispatch began', 30, 95, 7],
    ['after it ended', 62, 95, 7],
  ])('lets it be %s', (_what, second, flowKw, lasts) => {
    expect(doctored(flowing(second, flowKw, lasts))).toEqual([]);
  });

  const withoutControl = (byHomes: number): ChaosRecords => {
    const records = goodRecords();
    const { setpoints } = records;
    const plans = setpoints.plans.filter(({ plannedAtMs }) => plannedAtMs <= at(50) || plannedAtMs >= at(78));
    const known = new Set(plans.map(({ planId }) => planId));
    const heard = setpoints.heard.filter(({ planId }) => known.has(planId ?? ''));
    const { limits } = flowing(71, 110, 8)(records);
    const flows = limits.flows.map((flow) => (flow.flowKw === 110 ? { ...flow, householdsKw: 30 + byHomes } : flow));
    return { ...records, limits: { ...limits, flows }, setpoints: { ...setpoints, plans, heard } };
  };

  it('counts what homes add while no cycle was planned for longer than a few', () => {
    const away = withoutControl(15);
    expect(broken(away)).toEqual([]);
    expect(
      checkRecords(away)
        .map(({ detail }) => detail)
        .join(),
    ).toContain('9 over a limit by what homes added while control was away');
  });

  it('sees what devices add meanwhile', () => {
    expect(broken(withoutControl(2))).toEqual([LIMITS]);
  });

  it('does not judge what nobody could know: telemetry that was not stored for longer than it is fresh', () => {
    const against = doctored((records) => ({
      ...flowing(85, 110)(records),
      telemetry: {
        ...records.telemetry,
        acknowledged: records.telemetry.acknowledged.filter(({ timestampMs }) => timestampMs <= at(50)),
        stored: records.telemetry.stored.filter(({ sampledAtMs }) => sampledAtMs <= at(50)),
      },
    }));
    expect(against).toEqual([]);
  });
});

describe('dispatches and jobs', () => {
  const storedAs =
    (...stored: ReturnType<typeof dispatchOf>[]) =>
    ({ dispatches }: ChaosRecords) => ({
      dispatches: { ...dispatches, stored },
    });
  const ACCOUNTED = 'no accepted dispatch is lost, none is doubled';
  const ENDED = 'each dispatch ended in a final state, with a reason';
  const [scheduled, active, completed] = dispatchOf().history;

  it.each([
    ['that was accepted and is not stored', [dispatchOf({ dispatchId: 'dispatch-2' })], [ACCOUNTED]],
    ['that nobody asked for', [dispatchOf(), dispatchOf({ dispatchId: 'dispatch-2' })], [ACCOUNTED]],
    ['that is there twice', [dispatchOf(), dispatchOf()], [ACCOUNTED]],
    ['that never ended', [dispatchOf({ state: 'active', history: [scheduled!, active!] })], [ENDED]],
    ['whose history does not tell its end', [dispatchOf({ history: [scheduled!, active!] })], [ENDED]],
    ['whose history has a gap', [dispatchOf({ history: [scheduled!, { ...completed!, revision: 3 }] })], [ENDED]],
    [
      'that began anew after its end',
      [dispatchOf({ history: [completed!, { ...active!, revision: 4 }, { ...completed!, revision: 5 }] })],
      [ENDED],
    ],
    ['without a reason', [dispatchOf({ history: [scheduled!, active!, { ...completed!, reason: ' ' }] })], [ENDED]],
    ['without a report', [dispatchOf({ hasReport: false })], [ENDED]],
    ['that ended late', [dispatchOf({ history: [scheduled!, active!, { ...completed!, atMs: at(150) }] })], [ENDED]],
  ])('sees one %s', (_what, stored, against) => {
    expect(doctored(storedAs(...stored))).toEqual(expect.arrayContaining(against));
  });

  it('sees a request that never got an answer', () => {
    const against = doctored(({ dispatches }) => ({
      dispatches: {
        ...dispatches,
        asked: [
          ...dispatches.asked,
          { ...dispatches.asked[0]!, idempotencyKey: 'key-2', status: 503, dispatchId: null },
        ],
      },
    }));
    expect(against).toEqual(['each request got an answer']);
  });

  it('sees one answer to two requests', () => {
    const against = doctored(({ dispatches }) => ({
      dispatches: { ...dispatches, asked: [...dispatches.asked, { ...dispatches.asked[0]!, idempotencyKey: 'key-2' }] },
    }));
    expect(against).toEqual([ACCOUNTED]);
  });

  it.each([
    ['is not there', []],
    ['goes on', [{ ...goodRecords().runs[0]!, state: 'running', finished: false }]],
    ['failed and does not say why', [{ ...goodRecords().runs[0]!, state: 'failed' }]],
  ])('sees a run of a job that %s', (_what, runs) => {
    expect(doctored(() => ({ runs }))).toEqual(['each job run ended, with a reason']);
  });
});

describe('loops and processes', () => {
  it.each([
    ['a loop that stands still', [loop({ newestCycleAtMs: at(60) })], 'every loop goes on'],
    ['a tick that nobody counted', [loop({ uncountedTicks: 1 })], 'every tick that was missed is counted'],
  ])('sees %s', (_what, loops, invariant) => {
    expect(doctored(() => ({ loops }))).toEqual([invariant]);
  });

  it.each([
    ['that was left over', { leftOver: ['node (17)'] }, 'every process is back, none is left over'],
    ['that is one too many', { countAfter: 13 }, 'every process is back, none is left over'],
    ['that did not come back', { after: [sample('api', 100, 40)] }, 'every process is back, none is left over'],
    [
      'whose file handles grew',
      { after: [sample('api', 100, 90), sample('worker-1', 80, 30)] },
      'file handles are flat',
    ],
    ['whose memory grew', { after: [sample('api', 290, 40), sample('worker-1', 80, 30)] }, 'memory is flat'],
    ['that leaves sessions behind', { sessionsAfter: 60 }, 'sessions at Postgres are flat'],
  ])('sees a process %s', (_what, change, invariant) => {
    expect(doctored(({ processes }) => ({ processes: { ...processes, ...change } }))).toEqual([invariant]);
  });
});
