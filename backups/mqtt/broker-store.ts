/** The persistence store of one broker, wherever that runs: what it would start from again. */
export interface BrokerStore {
  /** Which broker, for people: `local`, or the name its agent was given. */
  readonly name: string;
  /** How it is reached, for people and logs. No credential. */
  readonly description: string;
  /**
   * Makes the broker write its store now and returns when the whole of it is there. Bounded in time. What the broker
   * had acknowledged before the call is in it; without it a store is up to an `autosave_interval` old.
   *
   * @throws {DermsError} `BROKER_STORE_UNAVAILABLE`: the broker is not running, may not be signalled, or did not save.
   */
  save(options?: { readonly signal?: AbortSignal }): Promise<SavedStore>;
  /**
   * The store as it is now: all bytes of one save, or it throws. That may be a younger save than the one asked for,
   * since the broker also saves by itself.
   */
  read(options?: { readonly signal?: AbortSignal }): AsyncIterable<Uint8Array>;
}

export interface SavedStore {
  readonly bytes: number;
  /** When the broker had written it, ms since the epoch by the clock of its machine. */
  readonly savedAtMs: number;
  /** Differs for every save. */
  readonly version: string;
}
