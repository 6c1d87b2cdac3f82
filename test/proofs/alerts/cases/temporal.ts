import type { AlertCase, Series } from '../alert-case';

const LOOPS = { task_queue: 'control', workflow_type: 'controlLoop' };
const failed = (values: string): Series => ({
  'temporal_workflow_task_execution_failed_total{task_queue="control",workflow_type="controlLoop",instance="c-0"}':
    values,
});
const queue = (name: string, values: string, of = 'control'): Series => ({
  [`derms_task_queue_${name}{queue="${of}",kind="workflow"}`]: values,
});
const slots = (values: string): Series => ({
  'temporal_worker_task_slots_available{task_queue="control",worker_type="WorkflowWorker",instance="c-0"}': values,
});
const CONTROL = { queue: 'control', kind: 'workflow' };
const messages = (values: string): Series => ({ 'derms_workflow_message_failures_total{message="wake"}': values });

export const temporal: readonly AlertCase[] = [
  {
    // The SDK shows the counter with its first failure.
    ...{ alert: 'DermsWorkflowTasksFail', series: failed('_x5 1x60'), fires: true, atMinute: 8, labels: LOOPS },
    says: 'Tasks of controlLoop workflows fail in queue control (1 within ten minutes): these workflows stand still.',
  },
  {
    ...{ alert: 'DermsWorkflowTasksFail', series: failed('1x20 1+1x60'), fires: true, atMinute: 40, labels: LOOPS },
    says: 'Tasks of controlLoop workflows fail in queue control (10 within ten minutes): these workflows stand still.',
  },
  { alert: 'DermsWorkflowTasksFail', series: failed('_x5 1x60'), fires: false, atMinute: 30 },
  {
    ...{ alert: 'DermsTaskQueueBacklog', series: queue('backlog_age_seconds', '0x5 90x30'), fires: true, atMinute: 8 },
    ...{ labels: CONTROL, says: 'The oldest workflow task of queue control has waited for 1m 30s.' },
  },
  { alert: 'DermsTaskQueueBacklog', series: queue('backlog_age_seconds', '0x5 9x30'), fires: false, atMinute: 8 },
  // No worker of the jobs role is there, and none need be.
  {
    ...{ alert: 'DermsTaskQueueBacklog', series: queue('backlog_age_seconds', '0x5 900x30', 'jobs'), fires: false },
    atMinute: 20,
  },
  {
    ...{ alert: 'DermsTaskQueueNoPollers', fires: true, atMinute: 8, labels: CONTROL },
    series: { ...queue('backlog', '0x5 12x30'), ...queue('pollers', '2x5 0x30') },
    says: 'No worker asks queue control for its workflow tasks; waiting: 12.',
  },
  {
    ...{ alert: 'DermsTaskQueueNoPollers', fires: false, atMinute: 20 },
    series: { ...queue('backlog', '0x5 12x30'), ...queue('pollers', '2x5 1x30') },
  },
  // Nothing is to be done.
  {
    ...{ alert: 'DermsTaskQueueNoPollers', fires: false, atMinute: 20 },
    series: { ...queue('backlog', '0x40'), ...queue('pollers', '0x40') },
  },
  {
    ...{ alert: 'DermsWorkerSaturated', series: slots('40x5 0x30'), fires: true, atMinute: 12 },
    labels: { task_queue: 'control', worker_type: 'WorkflowWorker', instance: 'c-0' },
    says: 'c-0 has 0 slots left for WorkflowWorker of queue control.',
  },
  { alert: 'DermsWorkerSaturated', series: slots('40x5 0 3 0 2 40x30'), fires: false, atMinute: 12 },
  {
    ...{ alert: 'DermsWorkflowMessagesFail', series: messages('0x5 2x30'), fires: true, atMinute: 12 },
    labels: { message: 'wake' },
    says: 'Messages to workflows (wake) that failed after the decision was written: 4. The supervisor makes up for them.',
  },
  { alert: 'DermsWorkflowMessagesFail', series: messages('2x40'), fires: false, atMinute: 20 },
];
