import { Context } from '@temporalio/activity';

export interface BrokerAgentPorts<Copy> {
  /** Makes the broker save and puts a copy of its store into storage. */
  copyStore(
    runId: string,
    options: { readonly signal: AbortSignal; readonly onProgress: (bytes: number) => void },
  ): Promise<Copy>;
}

const BEAT_MS = 1_000;

/** The hands of the agent beside a broker; what they answer is a few hundred bytes, the copy itself goes to storage. */
export const createBrokerAgentActivities = <Copy>(ports: BrokerAgentPorts<Copy>) => ({
  async copyStore(runId: string): Promise<Copy> {
    const context = Context.current();
    let bytes = 0;
    const beat = setInterval(() => {
      context.heartbeat({ bytes });
    }, BEAT_MS);
    try {
      return await ports.copyStore(runId, {
        signal: context.cancellationSignal,
        onProgress: (sofar) => {
          bytes = sofar;
        },
      });
    } finally {
      clearInterval(beat);
    }
  },
});

export type BrokerAgentActivities = ReturnType<typeof createBrokerAgentActivities<unknown>>;
