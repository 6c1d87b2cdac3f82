import { dashboard } from './page';
import { lines, number, type Query } from './panel';

const quantiles = (histogram: string): Query[] =>
  [0.5, 0.95, 0.99].map((quantile): Query => [
    `histogram_quantile(${String(quantile)}, sum by (le) (rate(${histogram}_bucket[$__rate_interval])))`,
    `p${String(quantile * 100)}`,
  ]);

/** For whoever keeps it running. */
export const sre = dashboard({
  uid: 'derms-sre',
  title: 'DERMS: how the system runs',
  about: 'Service level, cycles, dependencies, ingest, backups and drills, Temporal, processes.',
  feedersOf: null,
  rows: [
    {
      title: 'Service level of the control loops: 99.9 % of ticks in time',
      panels: [
        number(
          { title: 'Loops in time', about: 'Share of loops whose last cycle is in time.', unit: 'percentunit' },
          { badBelow: 1 },
          ['avg(max by (feeder) (derms_control_loop_ok))', 'now'],
        ),
        number(
          { title: 'Ticks in time, 3 days', about: 'What is promised is 99.9 %.', unit: 'percentunit' },
          { badBelow: 0.999 },
          ['1 - derms:control_ticks:bad_ratio_3d', '3 days'],
        ),
        number(
          {
            title: 'Pace of the budget, 1 hour',
            about: '1 lasts for the month; from 14.4 on somebody is called.',
            unit: 'short',
          },
          { badFrom: 14.4 },
          ['derms:control_ticks:bad_ratio_1h / 0.001', '1 hour'],
        ),
        number({ title: 'PostgreSQL', about: '1 while it answers every replica.', unit: 'short' }, { badBelow: 1 }, [
          'min(derms_db_up)',
          'up',
        ]),
        number({ title: 'Broker', about: '1 while every process is connected.', unit: 'short' }, { badBelow: 1 }, [
          'min(derms_mqtt_up)',
          'up',
        ]),
        number({ title: 'Temporal', about: '1 while it answers every replica.', unit: 'short' }, { badBelow: 1 }, [
          'min(derms_temporal_up)',
          'up',
        ]),
        lines(
          {
            title: 'Control-loop uptime',
            about: 'Share of the last hour in which the loop was in time.',
            unit: 'percentunit',
          },
          ['avg_over_time(max by (feeder) (derms_control_loop_ok)[1h:1m])', '{{feeder}}'],
        ),
        lines(
          { title: 'Ticks late or missed', about: 'Share of all ticks; the budget is 0.1 %.', unit: 'percentunit' },
          ['derms:control_ticks:bad_ratio_5m', '5 minutes'],
          ['derms:control_ticks:bad_ratio_1h', '1 hour'],
          ['derms:control_ticks:bad_ratio_6h', '6 hours'],
          ['derms:control_ticks:bad_ratio_1d', '1 day'],
        ),
      ],
    },
    {
      title: 'Cycles',
      panels: [
        lines(
          { title: 'Cycle', about: 'From the start of the plan to the last acknowledgement.', unit: 's' },
          ...quantiles('derms_cycle_seconds'),
        ),
        lines(
          { title: 'Plan', about: 'One transaction in PostgreSQL and the solver.', unit: 's' },
          ...quantiles('derms_plan_seconds'),
        ),
        lines(
          { title: 'Publish', about: 'Messages to the broker until they are acknowledged.', unit: 's' },
          ...quantiles('derms_publish_seconds'),
        ),
        lines({ title: 'Cycles by outcome', about: 'Each minute.', unit: 'short' }, [
          'sum by (outcome) (rate(derms_cycles_total[$__rate_interval])) * 60',
          '{{outcome}}',
        ]),
      ],
    },
    {
      title: 'MQTT',
      panels: [
        lines({ title: 'Connected', about: 'By process: 1 while it is connected.', unit: 'short' }, [
          'min by (role, instance) (derms_mqtt_up)',
          '{{role}} {{instance}}',
        ]),
        lines(
          {
            title: 'Connections lost',
            about: 'Within ten minutes, also those between two scrapes; more than 3 is a page.',
            unit: 'short',
          },
          ['sum by (role, instance) (increase(derms_mqtt_disconnects_total[10m]))', '{{role}} {{instance}}'],
        ),
      ],
    },
    {
      title: 'Ingest',
      panels: [
        lines({ title: 'Messages by feeder', about: 'Accepted each second.', unit: 'reqps' }, [
          'sum by (feeder) (rate(derms_ingest_feeder_messages_total[$__rate_interval]))',
          '{{feeder}}',
        ]),
        lines({ title: 'Bursts by feeder', about: 'Most messages a second within each five minutes.', unit: 'reqps' }, [
          'max_over_time(sum by (feeder) (rate(derms_ingest_feeder_messages_total[1m]))[5m:15s])',
          '{{feeder}}',
        ]),
        lines({ title: 'Refused', about: 'By reason; samples are at GET /api/telemetry/rejected.', unit: 'reqps' }, [
          'sum by (reason) (rate(derms_ingest_refused_total[$__rate_interval]))',
          '{{reason}}',
        ]),
        lines(
          { title: 'Batch', about: 'From taking a batch in hand to its acknowledgement.', unit: 's' },
          ...quantiles('derms_ingest_batch_seconds'),
        ),
        lines(
          {
            title: 'In hand, dropped, tried again',
            about: 'Messages not acknowledged yet; QoS 0 that found no room; attempts that PostgreSQL did not take.',
            unit: 'short',
          },
          ['sum by (instance) (derms_ingest_in_flight)', 'in hand {{instance}}'],
          ['sum(increase(derms_ingest_qos0_dropped_total[5m]))', 'dropped'],
          ['sum(increase(derms_ingest_database_retries_total[5m]))', 'tried again'],
        ),
      ],
    },
    {
      title: 'Backups and drills',
      panels: [
        lines(
          {
            title: 'Age of the newest verified backup',
            about: 'Over 26 h is a page for dumps and copies of the broker.',
            unit: 's',
          },
          ['time() - max by (kind) (derms_backup_last_verified_timestamp_seconds)', '{{kind}}'],
        ),
        lines(
          {
            title: 'Promises of jobs',
            about: 'Age of the last success as a share of what it may be.',
            unit: 'percentunit',
          },
          [
            'max by (job) (derms_job_freshness_seconds) / max by (job) (derms_job_freshness_objective_seconds)',
            '{{job}}',
          ],
        ),
        lines({ title: 'Runs of jobs that failed', about: 'Within an hour.', unit: 'short' }, [
          'max by (job) (increase(derms_job_runs_total{outcome=~"failed|terminated"}[1h]))',
          '{{job}}',
        ]),
        lines(
          {
            title: 'Restore drill',
            about: 'How long the last restore took until the application answered, and how old its data was.',
            unit: 's',
          },
          ['max(derms_restore_rto_seconds)', 'time to restore'],
          ['max(derms_restore_rpo_seconds)', 'age of the data'],
        ),
        lines(
          {
            title: 'Failover drills',
            about: 'Longest time without an acknowledged write, and whether the newest has passed.',
            unit: 'short',
          },
          ['max by (drill) (derms_drill_last_gap_seconds)', 'gap {{drill}}, s'],
          ['max by (drill) (derms_drill_last_passed)', 'passed {{drill}}'],
        ),
        lines(
          { title: 'Ticks of schedules', about: 'Missed within a day; unaccounted for.', unit: 'short' },
          ['max by (schedule) (increase(derms_schedule_missed_ticks_total[1d]))', 'missed {{schedule}}'],
          ['max by (schedule) (derms_schedule_ticks_unaccounted)', 'unaccounted {{schedule}}'],
        ),
      ],
    },
    {
      title: 'Temporal',
      panels: [
        lines({ title: 'Waiting tasks', about: 'In the queues of our workers.', unit: 'short' }, [
          'max by (queue, kind) (derms_task_queue_backlog)',
          '{{queue}} {{kind}}',
        ]),
        lines({ title: 'Workers that ask for tasks', about: 'Within the last minute.', unit: 'short' }, [
          'max by (queue, kind) (derms_task_queue_pollers)',
          '{{queue}} {{kind}}',
        ]),
        lines(
          {
            title: 'Workflow tasks: wait, p95',
            about: 'From schedule to start; over 0.2 s there are too few workers.',
            unit: 's',
          },
          [
            'histogram_quantile(0.95, sum by (le, task_queue) (rate(temporal_workflow_task_schedule_to_start_latency_seconds_bucket[$__rate_interval])))',
            '{{task_queue}}',
          ],
        ),
        lines(
          { title: 'Workflow tasks that fail', about: 'Any is a page: those workflows stand still.', unit: 'short' },
          [
            'sum by (task_queue, workflow_type) (increase(temporal_workflow_task_execution_failed_total[10m]))',
            '{{workflow_type}} in {{task_queue}}',
          ],
        ),
        lines({ title: 'Free slots of workers', about: 'At 0 a worker is saturated.', unit: 'short' }, [
          'min by (task_queue, worker_type) (temporal_worker_task_slots_available)',
          '{{task_queue}} {{worker_type}}',
        ]),
        lines({ title: 'Workflows in the cache', about: 'Of each worker.', unit: 'short' }, [
          'sum by (task_queue, instance) (temporal_sticky_cache_size)',
          '{{task_queue}} {{instance}}',
        ]),
      ],
    },
    {
      title: 'API',
      panels: [
        lines({ title: 'Requests', about: 'Each second, by status.', unit: 'reqps' }, [
          'sum by (status) (rate(derms_http_request_duration_seconds_count[$__rate_interval]))',
          '{{status}}',
        ]),
        lines(
          { title: 'Errors', about: 'Answers with 5xx each minute, by status; 503 names what is away.', unit: 'short' },
          ['sum by (status) (rate(derms_http_errors_total[$__rate_interval])) * 60', '{{status}}'],
        ),
        lines(
          { title: 'Duration', about: 'Event streams, which stay open, left out.', unit: 's' },
          ...[0.5, 0.95, 0.99].map((quantile): Query => [
            `histogram_quantile(${String(quantile)}, sum by (le) (rate(derms_http_request_duration_seconds_bucket{route!~".*/events"}[$__rate_interval])))`,
            `p${String(quantile * 100)}`,
          ]),
        ),
      ],
    },
    {
      title: 'Processes',
      panels: [
        lines({ title: 'Restarts', about: 'Within an hour, by the start times of processes.', unit: 'short' }, [
          'changes(process_start_time_seconds{job=~"derms-.+"}[1h])',
          '{{job}} {{instance}}',
        ]),
        lines({ title: 'Roles that died', about: 'Within an hour; their parent starts them again.', unit: 'short' }, [
          'sum by (instance, worker_role) (increase(derms_worker_role_restarts_total[1h]))',
          '{{worker_role}} {{instance}}',
        ]),
        lines(
          {
            title: 'Containers that were started again',
            about: 'Within an hour; of kube-state-metrics, where there is a Kubernetes.',
            unit: 'short',
          },
          [
            'sum by (pod, container) (increase(kube_pod_container_status_restarts_total{container=~"derms|broker-agent|mosquitto"}[1h]))',
            '{{pod}} {{container}}',
          ],
        ),
        lines({ title: 'Memory', about: 'Resident.', unit: 'bytes' }, [
          'process_resident_memory_bytes{job=~"derms-.+"}',
          '{{job}} {{instance}}',
        ]),
        lines({ title: 'CPU', about: 'Cores in use.', unit: 'short' }, [
          'rate(process_cpu_seconds_total{job=~"derms-.+"}[$__rate_interval])',
          '{{job}} {{instance}}',
        ]),
        lines({ title: 'Event loop, p99', about: 'How late Node is; over 0.1 s something blocks it.', unit: 's' }, [
          'nodejs_eventloop_lag_p99_seconds{job=~"derms-.+"}',
          '{{job}} {{instance}}',
        ]),
      ],
    },
    {
      title: 'Alerts',
      panels: [
        lines({ title: 'Firing', about: 'By name; the watchdog always is.', unit: 'short' }, [
          'sum by (alertname, severity) (ALERTS{alertstate="firing"})',
          '{{severity}} {{alertname}}',
        ]),
      ],
    },
  ],
});
