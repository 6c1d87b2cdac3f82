import { refusals, type GuardFacts } from '../../../drills/guard';
import { parseMetricsPage } from '../../../drills/metrics-page';

const CALM = `
derms_db_up 1
derms_mqtt_up 1
derms_temporal_up 1
derms_emergency_stop 0
derms_quarantined 0
derms_control_loop_ok{feeder="feeder-a"} 1
derms_control_loop_ok{feeder="feeder-b"} 1
`;
const facts = (more: Partial<Omit<GuardFacts, 'metrics'>> & { page?: string } = {}): GuardFacts => {
  const { page = CALM, ...others } = more;
  return {
    ...{ deployment: 'staging', allowedInProduction: false, liveDispatches: [], ...others },
    metrics: parseMetricsPage(page),
  };
};

describe('a drill', () => {
  it('may begin while nothing is wrong and no dispatch is under way', () => {
    expect(refusals(facts())).toEqual([]);
  });

  it.each([
    [
      'in production',
      facts({ deployment: 'production' }),
      ['this is production, and DRILLS_IN_PRODUCTION is not true'],
    ],
    [
      'during dispatches',
      facts({ liveDispatches: ['d-1', 'd-2'] }),
      ['dispatches are under way or about to begin: d-1, d-2'],
    ],
    [
      'while the broker is away',
      facts({ page: CALM.replace('derms_mqtt_up 1', 'derms_mqtt_up 0') }),
      ['an incident is open: the MQTT broker does not answer (derms_mqtt_up 0)'],
    ],
    [
      'during an emergency stop',
      facts({ page: CALM.replace('derms_emergency_stop 0', 'derms_emergency_stop 1') }),
      ['an incident is open: an emergency stop is in force (derms_emergency_stop 1)'],
    ],
    [
      'while a control loop is late',
      facts({ page: CALM.replace('"feeder-b"} 1', '"feeder-b"} 0') }),
      ['an incident is open: control loops are late (feeder="feeder-b")'],
    ],
    [
      'with a gauge that is not there',
      facts({ page: CALM.replace('derms_db_up 1', '') }),
      ['derms_db_up is not among the metrics'],
    ],
    [
      'with metrics that cannot be read',
      { ...facts(), metrics: 'connection refused' },
      ['the metrics cannot be read: connection refused'],
    ],
  ])('is refused %s, with the reason', (_when, given, reasons) => {
    expect(refusals(given)).toEqual(reasons);
  });

  it('may begin in production where that is allowed, and names every reason at once', () => {
    expect(refusals(facts({ deployment: 'production', allowedInProduction: true }))).toEqual([]);
    expect(refusals(facts({ deployment: 'production', liveDispatches: ['d-1'] }))).toHaveLength(2);
  });
});
