import type { JobDeclaration } from './declaration';

/** The places of a job, each held by one run at a time; null when any number may run. */
export const slotsOf = ({
  name,
  concurrency,
}: Pick<JobDeclaration, 'name' | 'concurrency'>): readonly string[] | null =>
  concurrency === 'unlimited'
    ? null
    : Array.from({ length: concurrency.atMost }, (_, place) => (place === 0 ? name : `${name}#${String(place + 1)}`));
