// What Mosquitto 2 writes to its log about clients that it turns away, as real brokers were seen to write it. Denied messages
// are told at `log_type debug`, subscriptions at `subscribe`, packets that are too big at `notice`.

type TurnedAwayFor = 'publish' | 'subscribe' | 'oversized';

export interface TurnedAway {
  /** Client id: of devices, the user name that they signed in with. */
  readonly client: string;
  readonly what: TurnedAwayFor;
  /** Where it wanted to write or read; null: not known. */
  readonly topic: string | null;
}

/** A line's beginning: the time, in a form without blanks. Nothing that a client says can stand there. */
const TIME = /^\S+: /;
const DENIED = /^Denied PUBLISH from (.+?) \(d[01], q[0-2], r[01], m\d+, '(.*)', \.\.\. \(\d+ bytes\)\)$/;
const OVERSIZED = /^Client (.+) disconnected due to oversize packet\.$/;
const SUBSCRIBED = /^(\S+) [0-2] (\S.*)$/;
/** Each packet, at `debug`: not worth telling a person. */
const CHATTER = /^(Received |Sending |Denied |\t|No will |Will message )/;

/** A client that was turned away; words of the broker that a person may want to read; or null. */
export function readLogLine(line: string): TurnedAway | string | null {
  const text = line.replace(TIME, '');
  if (text === line || text === '') return null;
  const [, forger, topic] = DENIED.exec(text) ?? [];
  if (forger !== undefined) return { client: forger, what: 'publish', topic: topic ?? null };
  if (CHATTER.test(text)) return null;
  const [, client, filter] = SUBSCRIBED.exec(text) ?? [];
  if (client !== undefined && filter !== undefined)
    return isAnothers(client, filter) ? { client, what: 'subscribe', topic: filter } : null;
  const [, sender] = OVERSIZED.exec(text) ?? [];
  return sender === undefined ? text : { client: sender, what: 'oversized', topic: null };
}

/** Our own processes: they read what is of all devices. */
const OURS = /^derms-/;
const OF_ONE_DEVICE = ['setpoints', 'plans', 'telemetry', 'acks', '+'];

/**
 * Whether a filter asks for what is of another device. Mosquitto takes every subscription, and looks at its access list only
 * when there is something to hand out: nothing is, and nothing is said.
 */
function isAnothers(client: string, filter: string): boolean {
  const levels = filter.split('/');
  if (OURS.test(client) || levels[0] === '$SYS') return false;
  const last = levels.at(-1);
  if (last === '#') return true;
  return OF_ONE_DEVICE.includes(levels.at(-3) ?? '') && last !== client;
}
