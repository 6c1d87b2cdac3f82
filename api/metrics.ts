import { Counter, DURATION_BUCKETS, Histogram, type Registry } from '../observability/metrics';
import { TOKEN_REFUSALS } from './auth/authentication';
import { ERROR_PAGES } from './error-pages';
import { RATE_POLICIES } from './rate-limit';

/** Figures of the API itself; those of health are in `health/metrics.ts`. */
export interface ApiMetrics {
  readonly registry: Registry;
  readonly requestSeconds: Histogram<'method' | 'route' | 'status'>;
  /** Answers that are an error of ours or of a dependency: each status from 0 on, so that `rate` sees the first. */
  readonly errors: Counter<'status'>;
  /** Messages to workflows that failed after the decision was written: the supervisor makes up for them. */
  readonly messageFailures: Counter<'message'>;
  readonly logins: Counter<'outcome'>;
  readonly tokensRefused: Counter<'reason'>;
  readonly auditFailures: Counter;
  readonly rateLimited: Counter<'policy'>;
}

/** Statuses from here on are no fault of the caller. */
export const FIRST_ERROR = 500;

export const WORKFLOW_MESSAGES = [
  'wake',
  'stop',
  'start-loop',
  'start-dispatch',
  'tell-dispatch',
  'start-run',
  'cancel-run',
  'terminate-run',
] as const;
export type WorkflowMessage = (typeof WORKFLOW_MESSAGES)[number];

export function createApiMetrics(registry: Registry): ApiMetrics {
  const registers = [registry];
  const metrics = {
    registry,
    requestSeconds: new Histogram({
      name: 'derms_http_request_duration_seconds',
      help: 'Duration of HTTP requests by route.',
      labelNames: ['method', 'route', 'status'],
      buckets: DURATION_BUCKETS,
      registers,
    }),
    errors: new Counter({
      name: 'derms_http_errors_total',
      help: 'HTTP requests answered with 5xx, by status.',
      labelNames: ['status'],
      registers,
    }),
    messageFailures: new Counter({
      name: 'derms_workflow_message_failures_total',
      help: 'Messages to workflows that failed after the decision was written.',
      labelNames: ['message'],
      registers,
    }),
    logins: new Counter({
      name: 'derms_logins_total',
      help: 'Log-ins by outcome.',
      labelNames: ['outcome'],
      registers,
    }),
    tokensRefused: new Counter({
      name: 'derms_auth_tokens_refused_total',
      help: 'Requests whose token was not taken: expired, revoked, no machine token in force, or unknown (not signed by us).',
      labelNames: ['reason'],
      registers,
    }),
    auditFailures: new Counter({
      name: 'derms_audit_failures_total',
      help: 'Refused attempts that could not be written to the audit log.',
      registers,
    }),
    rateLimited: new Counter({
      name: 'derms_http_rate_limited_total',
      help: 'Requests that were turned away because their caller had asked too often, by policy.',
      labelNames: ['policy'],
      registers,
    }),
  };
  for (const { status } of Object.values(ERROR_PAGES))
    if (status >= FIRST_ERROR) metrics.errors.inc({ status: String(status) }, 0);
  for (const policy of RATE_POLICIES) metrics.rateLimited.inc({ policy }, 0);
  for (const message of WORKFLOW_MESSAGES) metrics.messageFailures.inc({ message }, 0);
  for (const reason of TOKEN_REFUSALS) metrics.tokensRefused.inc({ reason }, 0);
  for (const outcome of ['accepted', 'refused', 'delayed']) metrics.logins.inc({ outcome }, 0);
  return metrics;
}
