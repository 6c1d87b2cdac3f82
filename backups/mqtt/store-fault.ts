import { DermsError } from '../../domain/errors';

/** What can be wrong with a copy of a broker's store. */
export type StoreFaultReason = 'empty' | 'zeroed' | 'not-a-store' | 'unknown-version' | 'cut' | 'damaged';

/** A copy that is not a whole store; `offset` is the byte where it stops making sense. Making a new copy may help. */
export class StoreFault extends DermsError {
  constructor(
    readonly reason: StoreFaultReason,
    readonly offset: number,
    what: string,
  ) {
    super('BROKER_STORE_FAULTY', `the broker's store is ${IN_WORDS[reason]} (byte ${offset}): ${what}`);
  }
}

const IN_WORDS = {
  empty: 'empty',
  zeroed: 'overwritten with zero bytes',
  'not-a-store': 'something else',
  'unknown-version': 'of a version that cannot be checked',
  cut: 'cut short',
  damaged: 'damaged',
} as const satisfies Record<StoreFaultReason, string>;
