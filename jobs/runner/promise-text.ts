import { DEPLOYMENT_KINDS, inDeployment, type JobDeclaration, type JobFreshness } from './declaration';

/** What a job promises, exceptions included, in words; null when it promises nothing anywhere. */
export function promiseText({ freshness }: Pick<JobDeclaration, 'freshness'>): string | null {
  const texts = byKind((kind) => {
    const declared = inDeployment(freshness, kind);
    return declared === null ? 'nothing' : declared.objective;
  });
  if (texts === 'nothing') return null;
  const names = new Set(DEPLOYMENT_KINDS.flatMap((kind) => Object.keys(exceptionsOf(inDeployment(freshness, kind)))));
  const exceptions = [...names].map((name) => {
    const found = DEPLOYMENT_KINDS.map((kind) => exceptionsOf(inDeployment(freshness, kind))[name]);
    const when = found.find((exception) => exception !== undefined)?.when ?? name;
    const promised = byKind((_kind, index) => found[index]?.promise?.objective ?? 'nothing');
    return `; when ${when}: ${promised}`;
  });
  return `${texts}${exceptions.join('')}`;
}

const exceptionsOf = (freshness: JobFreshness | null): NonNullable<JobFreshness['exceptions']> =>
  freshness?.exceptions ?? {};

/** Kinds of deployment that agree are one: `weekly in development and staging, quarterly in production`. */
export function byKind(textOf: (kind: (typeof DEPLOYMENT_KINDS)[number], index: number) => string): string {
  const texts = DEPLOYMENT_KINDS.map((kind, index) => [kind, textOf(kind, index)] as const);
  const different = [...new Set(texts.map(([, text]) => text))];
  if (different.length === 1) return different[0] ?? '';
  return different
    .map((text) => `${text} in ${texts.flatMap(([kind, its]) => (its === text ? [kind] : [])).join(' and ')}`)
    .join(', ');
}
