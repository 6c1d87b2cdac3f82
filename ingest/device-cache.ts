import type { Newcomer, RegisteredDevice, WireAdditions, WireChange, WireLimits } from '../domain/samples';
import { refuse, type Refusal } from '../contracts/envelope';
import type { Telemetry } from '../contracts/telemetry';
import type { ReceivedSample } from './batch';
import { inParts } from './in-parts';
import type { KnownDevice } from './known-device';
import type { WireRegistry } from './ports';
import { ratingOf } from './rating';

export interface DeviceCacheOptions {
  /** Feeder of devices that name none. */
  readonly defaultFeederId: string;
  readonly limits: WireLimits;
}

export interface DeviceCacheContext {
  /** Tries again for as long as Postgres is away. */
  readonly retry: <T>(work: () => Promise<T>) => Promise<T>;
  readonly onAdded: (additions: WireAdditions) => void;
  readonly onMoveNotFollowed: (deviceId: string, feederId: string) => void;
}

/** What an operator changes in the registry (a sign, a type) acts on telemetry after this at the latest, ms. */
const FRESH_MS = 30_000;
const NOBODY: ReadonlyMap<string, Refusal> = new Map();

/** The registry as the ingest sees it; adds devices that it has not seen and follows what they say about themselves. */
export class DeviceCache {
  private readonly devices = new Map<string, KnownDevice>();

  constructor(
    private readonly registry: WireRegistry,
    private readonly options: DeviceCacheOptions,
    private readonly context: DeviceCacheContext,
  ) {}

  /** Sets the device of each sample. Answers why the devices of the others have no place in the registry, by id. */
  async identify(samples: readonly ReceivedSample[]): Promise<ReadonlyMap<string, Refusal>> {
    const unknown = this.lookUp(samples, performance.now());
    const refused = unknown.size === 0 ? NOBODY : await this.identifyUnknown(samples, unknown);
    const changes = new Map<string, WireChange>();
    for (const { device, telemetry } of samples) {
      const change = device === null ? null : changeIn(device, telemetry);
      if (change !== null) changes.set(change.deviceId, change);
    }
    if (changes.size > 0) await this.follow([...changes.values()]);
    return refused;
  }

  /** Somebody removed one of them: read them again. */
  forget(samples: readonly ReceivedSample[]): void {
    for (const { telemetry } of samples) this.devices.delete(telemetry.deviceId);
  }

  private async identifyUnknown(
    samples: readonly ReceivedSample[],
    unknown: ReadonlySet<string>,
  ): Promise<ReadonlyMap<string, Refusal>> {
    await this.read([...unknown]);
    const refused = await this.register(newcomersIn(samples, this.devices, this.options.defaultFeederId));
    this.lookUp(samples, 0);
    return refused;
  }

  /** The ids that are not here, or were read before `now` less what is fresh. */
  private lookUp(samples: readonly ReceivedSample[], now: number): Set<string> {
    const unknown = new Set<string>();
    for (const sample of samples) {
      const { deviceId } = sample.telemetry;
      const known = this.devices.get(deviceId);
      sample.device = known ?? null;
      if (known === undefined || known.freshUntil < now) unknown.add(deviceId);
    }
    return unknown;
  }

  private async read(deviceIds: readonly string[]): Promise<void> {
    const found = await this.context.retry(() => this.registry.find(deviceIds));
    const absent = new Set(deviceIds);
    for (const registered of found) absent.delete(registered.deviceId);
    for (const deviceId of absent) this.devices.delete(deviceId);
    this.remember(found);
  }

  private remember(found: readonly RegisteredDevice[]): void {
    const freshUntil = performance.now() + FRESH_MS;
    for (const registered of found) {
      const known = this.devices.get(registered.deviceId);
      if (known === undefined) {
        this.devices.set(registered.deviceId, { registered, freshUntil, newestMs: 0, unfollowedFeederId: null });
      } else {
        known.registered = registered;
        known.freshUntil = freshUntil;
        known.unfollowedFeederId = null;
      }
    }
  }

  private async register(newcomers: readonly Newcomer[]): Promise<Map<string, Refusal>> {
    const refused = new Map<string, Refusal>();
    await inParts(
      newcomers,
      async (part) => {
        const added = await this.context.retry(() => this.registry.register(part, this.options.limits));
        if ('refused' in added) return added.detail;
        this.remember(added.devices);
        this.context.onAdded(added);
        return null;
      },
      ({ deviceId }, detail) => refused.set(deviceId, refuse('database-refused', detail)),
    );
    for (const { deviceId, feederId } of newcomers) {
      if (this.devices.has(deviceId) || refused.has(deviceId)) continue;
      refused.set(deviceId, refuse('registry-full', `the wire may add no more: ${deviceId} on feeder ${feederId}`));
    }
    return refused;
  }

  private async follow(changes: readonly WireChange[]): Promise<void> {
    await inParts(
      changes,
      async (part) => {
        const followed = await this.context.retry(() => this.registry.follow(part, this.options.limits));
        if ('refused' in followed) return followed.detail;
        this.remember(followed.devices);
        this.context.onAdded(followed);
        return null;
      },
      () => undefined, // it stays as it is, which is told below
    );
    for (const { deviceId, feederId } of changes) this.noteUnfollowed(deviceId, feederId);
  }

  private noteUnfollowed(deviceId: string, feederId: string | null): void {
    const known = this.devices.get(deviceId);
    if (known === undefined || feederId === null || known.registered.feederId === feederId) return;
    if (known.registered.feederOrigin === 'registry') return; // an operator has set it meanwhile
    known.unfollowedFeederId = feederId;
    this.context.onMoveNotFollowed(deviceId, feederId);
  }
}

/** One per device, by its first sample. */
function newcomersIn(
  samples: readonly ReceivedSample[],
  known: ReadonlyMap<string, KnownDevice>,
  defaultFeederId: string,
): Newcomer[] {
  const newcomers = new Map<string, Newcomer>();
  for (const { telemetry } of samples) {
    const { deviceId, deviceType, feederId, capabilities } = telemetry;
    if (known.has(deviceId) || newcomers.has(deviceId)) continue;
    newcomers.set(deviceId, { deviceId, deviceType, feederId: feederId ?? defaultFeederId, ...ratingOf(capabilities) });
  }
  return [...newcomers.values()];
}

/** What a sample says that differs from the registry and that the registry leaves to the device; older samples say nothing. */
function changeIn(known: KnownDevice, { timestampMs, feederId, capabilities }: Telemetry): WireChange | null {
  if (timestampMs <= known.newestMs) return null;
  known.newestMs = timestampMs;
  const { registered } = known;
  const moves =
    feederId !== null &&
    feederId !== registered.feederId &&
    registered.feederOrigin === 'wire' &&
    feederId !== known.unfollowedFeederId;
  const rating = registered.ratingOrigin === 'wire' ? ratingOf(capabilities) : ratingOf(null);
  const rates =
    (rating.maxImportKw !== null && rating.maxImportKw !== registered.maxImportKw) ||
    (rating.maxExportKw !== null && rating.maxExportKw !== registered.maxExportKw);
  if (!moves && !rates) return null;
  return { deviceId: registered.deviceId, feederId: moves ? feederId : null, ...rating, sampledAtMs: timestampMs };
}
