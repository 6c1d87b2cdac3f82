import { HttpFailure } from './problem';

/** For a path that is there: `Allow` names what it takes, HEAD wherever it takes GET. */
export function methodNotAllowed(methods: readonly string[]): HttpFailure {
  const allow = (methods.includes('GET') ? ['HEAD', ...methods] : methods).join(', ');
  return new HttpFailure('METHOD_NOT_ALLOWED', `This path takes ${allow}.`, { headers: { Allow: allow } });
}
