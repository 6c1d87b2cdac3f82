import { DermsError } from '../domain/errors';
import type { WorkflowMessage } from './metrics';
import type { AppPorts } from './ports';

type Telling = Pick<AppPorts, 'log' | 'metrics' | 'workflows'>;

/**
 * Tells a workflow about what is decided and written already: a failure is logged and counted, never the caller's, since
 * the loop reads the rows with its next plan and the supervisor starts what is missing.
 *
 * @returns whether it was delivered.
 */
export async function tellWorkflow(
  { log, metrics, workflows }: Telling,
  message: WorkflowMessage,
  about: {
    readonly feederId?: string;
    readonly dispatchId?: string;
    readonly runId?: string;
    readonly requestId: string;
  },
  send: (workflows: AppPorts['workflows']) => Promise<void>,
): Promise<boolean> {
  try {
    await send(workflows);
    return true;
  } catch (err) {
    if (err instanceof DermsError && err.code === 'CONTROL_LOOP_NOT_RUNNING') {
      log.info({ message, ...about }, 'no workflow runs that could be told');
      return false;
    }
    metrics.messageFailures.inc({ message });
    const reason = err instanceof Error ? err.message : String(err);
    log.warn({ reason, message, ...about }, 'a workflow could not be told; it reads the rows by itself');
    return false;
  }
}

/** A tree was changed: its loop plans now rather than at its next tick. @returns how many loops were told. */
export async function wakeTrees(ports: Telling, rootFeederIds: readonly string[], requestId: string): Promise<number> {
  const told = await Promise.all(
    rootFeederIds.map((feederId) =>
      tellWorkflow(ports, 'wake', { feederId, requestId }, (to) => to.wakeControlLoop(feederId)),
    ),
  );
  return told.filter(Boolean).length;
}
