import { dashboard } from './page';
import { bars, lines, number } from './panel';

const KW = 'kwatt';
const CHOSEN = 'feeder=~"$feeder"';

/** For whoever runs the feeders: where is it tight, what was asked, is it delivered? */
export const operators = dashboard({
  uid: 'derms-operators',
  title: 'DERMS: feeders and dispatches',
  about:
    'Flow against the limits in force, dispatches, and the devices that carry them. Import is positive, export negative.',
  feedersOf: 'derms_feeder_upper_limit_kw',
  rows: [
    {
      title: 'Now',
      panels: [
        number(
          { title: 'Emergency stop', about: '1 while every device is sent to its safe state.', unit: 'short' },
          { badFrom: 1 },
          ['max(derms_emergency_stop)', 'in force'],
        ),
        number(
          { title: 'Quarantine', about: '1 after a restore, until it is lifted: nothing is planned.', unit: 'short' },
          { badFrom: 1 },
          ['max(derms_quarantined)', 'in force'],
        ),
        number(
          {
            title: 'Over the limit',
            about: 'Feeders whose meter is over a limit in force, beyond what is tolerated.',
            unit: 'short',
          },
          { badFrom: 1 },
          [
            'count(max by (feeder) (derms_limit_broken_kw) > on(feeder) derms:feeder_tolerance_kw) or vector(0)',
            'feeders',
          ],
        ),
        number(
          { title: 'Loops in time', about: 'Share of control loops whose last cycle is in time.', unit: 'percentunit' },
          { badBelow: 1 },
          ['avg(max by (feeder) (derms_control_loop_ok))', 'in time'],
        ),
        number({ title: 'Dispatches in force', about: 'At all feeders.', unit: 'short' }, { badFrom: 1_000_000 }, [
          'sum(max by (feeder) (derms_dispatches_in_force))',
          'dispatches',
        ]),
        number({ title: 'Devices offline', about: 'In all trees.', unit: 'short' }, { badFrom: 1 }, [
          'sum(max by (feeder) (derms_control_loop_offline_devices))',
          'devices',
        ]),
      ],
    },
    {
      title: 'Flow against limits',
      panels: [
        lines(
          {
            title: '$feeder',
            about: 'The meter between its limits in force: the tightest of static limit, envelopes and dispatches.',
            unit: KW,
          },
          [`max by (feeder) (derms_feeder_flow_kw{${CHOSEN}})`, 'flow {{feeder}}'],
          [`max by (feeder) (derms_feeder_upper_limit_kw{${CHOSEN}})`, 'most import {{feeder}}'],
          [`min by (feeder) (derms_feeder_lower_limit_kw{${CHOSEN}})`, 'most export {{feeder}}'],
        )
          .repeat('feeder')
          .repeatDirection('h')
          .maxPerRow(2),
      ],
    },
    {
      title: 'Room and trouble',
      panels: [
        bars({ title: 'Room for import', about: 'How far the flow may still rise.', unit: KW }, [
          `max by (feeder) (derms_feeder_upper_limit_kw{${CHOSEN}}) - max by (feeder) (derms_feeder_flow_kw{${CHOSEN}})`,
          '{{feeder}}',
        ]),
        bars({ title: 'Room for export', about: 'How far the flow may still fall.', unit: KW }, [
          `max by (feeder) (derms_feeder_flow_kw{${CHOSEN}}) - min by (feeder) (derms_feeder_lower_limit_kw{${CHOSEN}})`,
          '{{feeder}}',
        ]),
        lines({ title: 'Over the limit', about: 'By the meter; 0 on a good day.', unit: KW }, [
          `max by (feeder) (derms_limit_broken_kw{${CHOSEN}})`,
          '{{feeder}}',
        ]),
        lines(
          {
            title: 'Help that does not suffice',
            about: 'How far a feeder stays off its limits with all the help below it.',
            unit: KW,
          },
          [`max by (feeder) (derms_infeasible_kw{${CHOSEN}})`, '{{feeder}}'],
        ),
      ],
    },
    {
      title: 'Dispatches',
      panels: [
        lines({ title: 'In force', about: 'Dispatches at each feeder.', unit: 'short' }, [
          `max by (feeder) (derms_dispatches_in_force{${CHOSEN}})`,
          '{{feeder}}',
        ]),
        lines(
          {
            title: 'Not delivered',
            about: 'How far the meter is off what dispatches ask, and what the plan cannot place.',
            unit: KW,
          },
          [`max by (feeder) (derms_dispatch_undelivered_kw{${CHOSEN}})`, 'measured {{feeder}}'],
          [`max by (feeder) (derms_dispatch_shortfall_kw{${CHOSEN}})`, 'planned {{feeder}}'],
        ),
        lines({ title: 'Setpoints', about: 'What became of the messages to devices, each minute.', unit: 'short' }, [
          'sum by (outcome) (rate(derms_setpoints_total[$__rate_interval])) * 60',
          '{{outcome}}',
        ]),
      ],
    },
    {
      title: 'Devices',
      panels: [
        lines(
          { title: 'Offline and stale', about: 'By tree.', unit: 'short' },
          ['max by (feeder) (derms_control_loop_offline_devices)', 'offline {{feeder}}'],
          ['max by (feeder) (derms_control_loop_stale_devices)', 'stale {{feeder}}'],
        ),
        lines(
          {
            title: 'Not following',
            about: 'Devices that do not do what they are told; their share goes to others.',
            unit: 'short',
          },
          ['max by (feeder) (derms_not_following_devices)', '{{feeder}}'],
        ),
      ],
    },
  ],
});
