import type { Actor } from '../../db/audit';
import type { DispatchAccepted, DispatchOrder, DispatchRefused } from '../../db/dispatch-admission';
import type {
  DispatchCancelled,
  DispatchFilter,
  DispatchStory,
  ListedDispatch,
  LoopProgress,
} from '../../db/dispatches';

/** What the API asks Postgres about dispatches. */
export interface DispatchPort {
  decide(order: DispatchOrder): Promise<DispatchAccepted | DispatchRefused>;
  list(filter: DispatchFilter): Promise<ListedDispatch[]>;
  read(dispatchId: string): Promise<DispatchStory>;
  cancel(order: { dispatchId: string; reason: string; actor: Actor }): Promise<DispatchCancelled>;
  /** Postgres' clock. */
  clock(): Promise<string>;
  progress(rootFeederId: string): Promise<LoopProgress>;
}
