import type { DeviceType } from '../domain/fleet';

/**
 * MQTT topics of contract v1. `prefix` is `MQTT_TOPIC_PREFIX`; it may have several levels but no wildcard.
 *
 * Ids are checked against `ID_PATTERN` before they become part of a topic, so that no message can be
 * published to a wildcard or to somebody else's level.
 */
export const ID_PATTERN = /^[A-Za-z0-9._:-]{1,128}$/;
export const DEVICE_TYPES: readonly DeviceType[] = ['pv', 'battery', 'ev'];

export const topics = (prefix: string) => ({
  telemetry: (deviceType: DeviceType, deviceId: string) => `${prefix}/telemetry/${deviceType}/${checked(deviceId)}`,
  setpoint: (deviceType: DeviceType, deviceId: string) => `${prefix}/setpoints/${deviceType}/${checked(deviceId)}`,
  meter: (feederId: string) => `${prefix}/meters/${checked(feederId)}`,
  /** The broker's copy of an emergency stop; nothing is retained there while none is in force. */
  emergencyStop: `${prefix}/emergency-stop`,
  simulationProfile: `${prefix}/simulation/profile`,
  /** `#` rather than `+/+`: a topic with a level too many is counted, not unseen. */
  telemetryFilter: `${prefix}/telemetry/#`,
  metersFilter: `${prefix}/meters/#`,
  setpointsFilter: `${prefix}/setpoints/#`,
});

export type Topics = ReturnType<typeof topics>;

/** @throws {RangeError} when the id may not stand in a topic. */
function checked(id: string): string {
  if (!ID_PATTERN.test(id)) throw new RangeError(`"${id.slice(0, 64)}" may not stand in an MQTT topic`);
  return id;
}
