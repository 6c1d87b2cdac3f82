/**
 * What stands in examples, and what is tried first by whoever wants to get in. Few, because each is compared with each
 * user's hash before the API listens: some 150 ms for one.
 */
export const SAMPLE_PASSWORDS: readonly string[] = ['admin', 'changeme', 'password', 'Password123!'];

/** Words of secrets that were meant to be replaced; a drawn secret has one of them by chance once in a billion. */
export const SAMPLE_WORDS =
  /change.?me|replace|example|sample|placeholder|password|secret|insecure|your.?(own|key|jwt)/i;
