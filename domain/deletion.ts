/** Something that was taken away for good, and that no restore may bring back. */
export interface Deletion {
  readonly kind: 'device' | 'feeder' | 'machine-token';
  /** Id of the device, feeder or token. */
  readonly subject: string;
  /** To the microsecond: what has the same id and was made later is something else. */
  readonly deletedAt: string;
}
