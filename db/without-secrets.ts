import { SECRET_VALUE } from '../config/secret-patterns';

/** Fields whose value nobody needs to read, whatever it is. */
const SECRET_NAME = /passw|secret|token|authori[sz]ation|cookie|credential|private.?key|^hash$|api.?key/i;
const LEFT_OUT = '[left out]';

/** What is kept for good and read by many must not hold what opens something. A second fence: nothing of ours puts it there. */
export function withoutSecrets(value: unknown): unknown {
  if (typeof value === 'string') return value.replaceAll(SECRET_VALUE, LEFT_OUT);
  if (Array.isArray(value)) return value.map(withoutSecrets);
  if (typeof value !== 'object' || value === null || value instanceof Date) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]: [string, unknown]) => [
      name,
      SECRET_NAME.test(name) && (typeof inner === 'string' || typeof inner === 'object') && inner !== null
        ? LEFT_OUT
        : withoutSecrets(inner),
    ]),
  );
}
