import {
  DISPATCH_TRANSITIONS,
  isClosed,
  mayBecome,
  type DispatchRequest,
  type DispatchState,
  type OpenDispatch,
} from '../../../domain/dispatch';
import { admitDispatch, checkDispatchRequest } from '../../../domain/dispatch-rules';
import { aDispatch } from './builders';

const NOON = Date.UTC(2026, 0, 1, 12);
const HOUR = 3600_000;

const aRequest = (request: Partial<DispatchRequest> = {}): DispatchRequest => ({
  feederId: 'feeder',
  startsAtMs: NOON + HOUR,
  endsAtMs: NOON + 3 * HOUR,
  primacy: 5,
  reason: 'transformer at 95 %',
  ...(request.targetKw === undefined && request.importLimitKw === undefined && request.exportLimitKw === undefined
    ? { importLimitKw: 60 }
    : {}),
  ...request,
});

const anOpen = (dispatch: Partial<OpenDispatch> = {}): OpenDispatch => ({
  ...aDispatch({ dispatchId: 'open' }),
  startsAtMs: NOON,
  endsAtMs: NOON + 2 * HOUR,
  ...dispatch,
});

describe('a request that makes no sense is refused with a pointer to the field', () => {
  it.each`
    why                               | request                                               | pointer                     | message
    ${'end before start'}             | ${{ endsAtMs: NOON + HOUR }}                          | ${'/endsAt'}                | ${'must be after startsAt'}
    ${'window past'}                  | ${{ startsAtMs: NOON - 2 * HOUR, endsAtMs: NOON }}    | ${'/endsAt'}                | ${'the window is already past'}
    ${'longer than 7 days'}           | ${{ endsAtMs: NOON + 170 * HOUR }}                    | ${'/endsAt'}                | ${'the window is longer than 7 days'}
    ${'no start'}                     | ${{ startsAtMs: NaN }}                                | ${'/startsAt'}              | ${'is not a moment in time'}
    ${'no end'}                       | ${{ endsAtMs: NaN }}                                  | ${'/endsAt'}                | ${'is not a moment in time'}
    ${'negative import limit'}        | ${{ importLimitKw: -1 }}                              | ${'/importLimitKw'}         | ${'must be 0 or more: limits carry no sign'}
    ${'negative export limit'}        | ${{ exportLimitKw: -0.1 }}                            | ${'/exportLimitKw'}         | ${'must be 0 or more: limits carry no sign'}
    ${'limit not finite'}             | ${{ importLimitKw: Infinity }}                        | ${'/importLimitKw'}         | ${'must be a finite number of kW'}
    ${'target not finite'}            | ${{ targetKw: NaN }}                                  | ${'/targetKw'}              | ${'must be a finite number of kW'}
    ${'nothing asked'}                | ${{ importLimitKw: null }}                            | ${''}                       | ${'asks for nothing: give importLimitKw, exportLimitKw or targetKw'}
    ${'target and limit'}             | ${{ targetKw: 5, exportLimitKw: 3 }}                  | ${'/targetKw'}              | ${'a target already says both limits: give one or the other'}
    ${'primacy not a byte'}           | ${{ primacy: 256 }}                                   | ${'/primacy'}               | ${'must be a whole number from 0 to 255'}
    ${'primacy with a fraction'}      | ${{ primacy: 0.5 }}                                   | ${'/primacy'}               | ${'must be a whole number from 0 to 255'}
    ${'no reason'}                    | ${{ reason: '  ' }}                                   | ${'/reason'}                | ${'must say why'}
    ${'a novel for a reason'}         | ${{ reason: 'x'.repeat(501) }}                        | ${'/reason'}                | ${'must not be longer than 500 characters'}
    ${'start spread over the window'} | ${{ randomizeStartSeconds: 7200 }}                    | ${'/randomizeStartSeconds'} | ${'must be shorter than the window'}
    ${'negative spread'}              | ${{ randomizeStartSeconds: -1 }}                      | ${'/randomizeStartSeconds'} | ${'must be 0 or more'}
    ${'expiry before the start'}      | ${{ expiresAtMs: NOON + HOUR - 1 }}                   | ${'/expiresAt'}             | ${'is before the start: it would never fire'}
    ${'expiry past'}                  | ${{ startsAtMs: NOON - HOUR, expiresAtMs: NOON - 1 }} | ${'/expiresAt'}             | ${'is before the start: it would never fire'}
  `('$why', ({ request, pointer, message }) => {
    expect(checkDispatchRequest(aRequest(request as Partial<DispatchRequest>), NOON)).toEqual([{ pointer, message }]);
  });

  it.each`
    why                               | request
    ${'a limit from now on'}          | ${{ startsAtMs: NOON }}
    ${'a start in the past is now'}   | ${{ startsAtMs: NOON - HOUR }}
    ${'a target, signed'}             | ${{ targetKw: -20 }}
    ${'both limits, one of them 0'}   | ${{ importLimitKw: 20, exportLimitKw: 0 }}
    ${'exactly 7 days'}               | ${{ startsAtMs: NOON, endsAtMs: NOON + 168 * HOUR }}
    ${'a spread start and an expiry'} | ${{ randomizeStartSeconds: 600, expiresAtMs: NOON + 2 * HOUR }}
  `('but not $why', ({ request }) => {
    expect(checkDispatchRequest(aRequest(request as Partial<DispatchRequest>), NOON)).toEqual([]);
  });

  it('names every fault at once', () => {
    const faults = checkDispatchRequest(aRequest({ endsAtMs: NOON, importLimitKw: -1, primacy: -1, reason: '' }), NOON);
    expect(faults.map(({ pointer }) => pointer)).toEqual(['/endsAt', '/importLimitKw', '/primacy', '/reason']);
  });
});

describe('admission', () => {
  const feeder = { feederId: 'feeder', importLimitKw: 100, exportLimitKw: 80 };
  const admit = (request: Partial<DispatchRequest>, ...existing: Partial<OpenDispatch>[]) =>
    admitDispatch({ request: aRequest(request), nowMs: NOON, existing: existing.map(anOpen), feeder });

  it.each`
    what                                          | request                                          | open
    ${'limits that overlap: the tightest holds'}  | ${{ importLimitKw: 60 }}                         | ${{ importLimitKw: 50, exportLimitKw: 0 }}
    ${'a target inside the limits of another'}    | ${{ targetKw: 30 }}                              | ${{ importLimitKw: 40 }}
    ${'a limit around the target of another'}     | ${{ importLimitKw: 40 }}                         | ${{ targetKw: 40 }}
    ${'a second target after the first one ends'} | ${{ targetKw: 30, startsAtMs: NOON + 2 * HOUR }} | ${{ targetKw: 60 }}
    ${'a second target on another feeder'}        | ${{ targetKw: 30 }}                              | ${{ targetKw: 60, feederId: 'other' }}
  `('accepts $what', ({ request, open }) => {
    expect(admit(request as Partial<DispatchRequest>, open as Partial<OpenDispatch>)).toEqual({
      outcome: 'accepted',
      supersedes: [],
      warnings: [],
    });
  });

  it.each`
    what                                                           | request                              | open
    ${'a target outside the limit of one with a lower number'}     | ${{ targetKw: 50, primacy: 5 }}      | ${{ importLimitKw: 40, primacy: 2 }}
    ${'a target outside the limit of an earlier one, same number'} | ${{ targetKw: 50, primacy: 5 }}      | ${{ importLimitKw: 40, primacy: 5 }}
    ${'a second target at the same number, even the same target'}  | ${{ targetKw: 50, primacy: 5 }}      | ${{ targetKw: 50, primacy: 5 }}
    ${'a limit below the target of one with a lower number'}       | ${{ importLimitKw: 20, primacy: 5 }} | ${{ targetKw: 30, primacy: 2 }}
    ${'an export limit above the target of another'}               | ${{ exportLimitKw: 10, primacy: 5 }} | ${{ targetKw: -30, primacy: 2 }}
  `('refuses $what, and names it', ({ request, open }) => {
    const answer = admit(request as Partial<DispatchRequest>, open as Partial<OpenDispatch>);
    expect(answer).toMatchObject({ outcome: 'refused', code: 'DISPATCH_CONFLICT', conflictsWith: 'open' });
  });

  it('supersedes those with a higher number that leave nothing', () => {
    const answer = admit(
      { targetKw: 50, primacy: 3 },
      { dispatchId: 'limit', importLimitKw: 40, primacy: 4 },
      { dispatchId: 'target', targetKw: 10, primacy: 9 },
      { dispatchId: 'fits', importLimitKw: 70, primacy: 9 },
    );
    expect(answer).toMatchObject({ outcome: 'accepted', supersedes: ['limit', 'target'] });
  });

  it('supersedes nobody when it is refused for one of them', () => {
    const answer = admit(
      { targetKw: 50, primacy: 3 },
      { dispatchId: 'weak', targetKw: 10, primacy: 9 },
      { dispatchId: 'strong', importLimitKw: 40, primacy: 1 },
    );
    expect(answer).toMatchObject({ outcome: 'refused', conflictsWith: 'strong' });
  });

  it('says in words what stands in the way', () => {
    expect(admit({ targetKw: 50 }, { importLimitKw: 40, exportLimitKw: 5, primacy: 2 })).toMatchObject({
      message:
        'nothing is left between this and dispatch open, which asks for import ≤ 40 kW, export ≤ 5 kW, with primacy 2 against 5',
      faults: [{ pointer: '/targetKw' }],
    });
  });

  it("accepts a limit looser than the feeder's own, with a warning", () => {
    expect(admit({ importLimitKw: 120, exportLimitKw: 90 })).toEqual({
      outcome: 'accepted',
      supersedes: [],
      warnings: [
        "the import limit of 120 kW is looser than the feeder's own, 100 kW: that holds",
        "the export limit of 90 kW is looser than the feeder's own, 80 kW: that holds",
      ],
    });
  });

  it.each`
    targetKw | message
    ${130}   | ${'30 kW beyond the import limit of 100 kW of feeder feeder'}
    ${-92.5} | ${'12.5 kW beyond the export limit of 80 kW of feeder feeder'}
  `('refuses a target of $targetKw kW: $message', ({ targetKw, message }) => {
    expect(admit({ targetKw: targetKw as number })).toEqual({
      outcome: 'refused',
      code: 'DISPATCH_UNREACHABLE',
      message,
      faults: [{ pointer: '/targetKw', message }],
    });
  });
});

describe('the states of a dispatch', () => {
  const states = Object.keys(DISPATCH_TRANSITIONS) as DispatchState[];

  it('end in completed, refused, cancelled, superseded or expired', () => {
    expect(states.filter(isClosed)).toEqual(['completed', 'refused', 'cancelled', 'superseded', 'expired']);
  });

  it('lead from request to completion, with approval or without', () => {
    expect(
      mayBecome('requested', 'scheduled') && mayBecome('scheduled', 'active') && mayBecome('active', 'completed'),
    ).toBe(true);
    expect(mayBecome('requested', 'awaiting-approval') && mayBecome('awaiting-approval', 'scheduled')).toBe(true);
  });

  it('let one that is active neither expire nor be refused, and nothing come back', () => {
    expect(mayBecome('active', 'expired') || mayBecome('active', 'refused')).toBe(false);
    expect(states.filter((state) => mayBecome('completed', state))).toEqual([]);
  });
});
