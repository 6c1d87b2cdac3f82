import { proxyActivities } from '@temporalio/workflow';
import type { BrokerAgentActivities } from '../activities/broker-agent';
import { brokerQueue, type CopyBrokerStoreInput } from './messages';

/**
 * Has the agent beside a broker copy its store, on the agent's own queue. An agent that is away is told from one that
 * works: the first is given up in minutes, the second may take half an hour as long as it shows signs of life.
 */
export async function copyBrokerStore({ broker, runId, agentWithinSeconds }: CopyBrokerStoreInput): Promise<unknown> {
  const { copyStore } = proxyActivities<BrokerAgentActivities>({
    taskQueue: brokerQueue(broker),
    scheduleToStartTimeout: agentWithinSeconds * 1000,
    startToCloseTimeout: '30m',
    heartbeatTimeout: '10s',
    retry: { initialInterval: '2s', maximumInterval: '30s', maximumAttempts: 3 },
    summary: `copy the store of broker ${broker}`,
  });
  return copyStore(runId);
}
