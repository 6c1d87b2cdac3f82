import { controlLoopId, dispatchWorkflowId } from '../workflows/messages';
import type { ApiSettings } from './ports';

/** Where Temporal UI shows a workflow; null when nobody has told us where the UI is. */
export function workflowUrl(settings: ApiSettings, workflowId: string): string | null {
  if (settings.temporalUiUrl === null) return null;
  const base = settings.temporalUiUrl.replace(/\/+$/, '');
  return `${base}/namespaces/${encodeURIComponent(settings.temporalNamespace)}/workflows/${encodeURIComponent(workflowId)}`;
}

export const loopUrl = (settings: ApiSettings, rootFeederId: string): string | null =>
  workflowUrl(settings, controlLoopId(rootFeederId));

export const dispatchUrl = (settings: ApiSettings, dispatchId: string): string | null =>
  workflowUrl(settings, dispatchWorkflowId(dispatchId));
