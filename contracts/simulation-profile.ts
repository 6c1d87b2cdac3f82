import { isRefusal, parseJson } from './envelope';

/** `<prefix>/simulation/profile`: a bare object without envelope, retained. */
export type SimulationProfile = 'day' | 'night';

export const simulationProfileDelivery = { qos: 1, retain: true } as const;
export const simulationProfileMessage = (profile: SimulationProfile) => ({ profile });

/** null when the message says nothing we know. */
export function parseSimulationProfile(payload: Buffer): SimulationProfile | null {
  const message = parseJson(payload, 1024);
  if (isRefusal(message)) return null;
  const profile = message['profile'];
  return profile === 'day' || profile === 'night' ? profile : null;
}
