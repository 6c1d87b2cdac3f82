import { SAMPLE_WORDS } from '../sample-values';
import { SECRET_SETTINGS } from '../schema';
import { SECRET_VALUE } from '../secret-patterns';

/** Of settings of ours, of other programs in our manifests, and of the keys of a Secret (`db-password`). */
const SECRET_NAME = /(PASSWORD|PASSWD|PASSPHRASE|PASS|PWD|SECRET|TOKEN|KEY|KEYS|AUTH_USERS|CREDENTIALS)$/;
/** `${NAME}`, `${NAME:?say what}`, `$(NAME)`: taken from elsewhere when it is used. */
const TAKEN_FROM_ELSEWHERE = /^\$(\w+|\{\w+(:?\?[^}]*)?\}|\(\w+\))$/;
/** Where the file of a key is mounted: Temporal's `TEMPORAL_TLS_SERVER_KEY` is a path. */
const FILE_OF_A_KEY = /^\/[\w./-]+\.(key|pem)$/;
const WITH_DEFAULT = /^\$\{\w+:?-(.*)\}$/;

export function isSecretName(name: string): boolean {
  const upper = name.toUpperCase().replaceAll(/[-.]/g, '_');
  return (SECRET_SETTINGS as readonly string[]).includes(upper) || SECRET_NAME.test(upper);
}

/** What is wrong with giving a secret this value in a file that is committed; null: it is taken from elsewhere, or empty. */
export function secretValueFault(value: string): string | null {
  if (value === '' || TAKEN_FROM_ELSEWHERE.test(value) || FILE_OF_A_KEY.test(value)) return null;
  const [, fallback] = WITH_DEFAULT.exec(value) ?? [];
  if (fallback === '') return null;
  if (fallback !== undefined) return 'has a default, which somebody will run with: use ${NAME:?}';
  return SAMPLE_WORDS.test(value)
    ? 'is a sample value, which somebody will run with'
    : 'is written down here: a secret in a repository is none';
}

/** A secret by its looks, under whatever name it stands. */
export const looksSecret = (text: string): boolean =>
  [...text.matchAll(SECRET_VALUE)].some(([found]) => isLiteral(found));

/** `postgres://user:$(DB_PASSWORD)@host`: what is put in later is no secret. */
const isLiteral = (found: string): boolean => !/:\$(\w+|\{\w+(:?\?[^}]*)?\}|\(\w+\))@$/.test(found);
