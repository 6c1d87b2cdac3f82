import type { RegisteredDevice } from '../domain/samples';

/** A device as the registry has it, and what we remember of it between batches. */
export interface KnownDevice {
  registered: RegisteredDevice;
  /** Read again after this; monotonic, ms. */
  freshUntil: number;
  /** Time of the newest sample that was looked at for what it says about the device. */
  newestMs: number;
  /** A feeder that it named and that found no place: not tried again before the next reading. */
  unfollowedFeederId: string | null;
}
