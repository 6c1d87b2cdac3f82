import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';

// `npm run audit:packages`: known weaknesses of the packages that we ship. Each is mended, or explained in
// docs/advisories.json with the day that the explanation holds until.
//
//   0  none, or each explained      1  one is not explained, or an explanation is of nothing any more, or has run out
//   3  NOT CHECKED: the registry does not answer. That is no pass: nothing is published without 0. With --or-say-so it is
//      told in capitals and ends with 0, so that a mirror without that service does not stop every build.

const EXPLANATIONS = 'docs/advisories.json';
const orSaySo = process.argv.includes('--or-say-so');

function main() {
  const asked = askNpm();
  if (typeof asked === 'string') {
    console.error(`NOT CHECKED for known weaknesses: ${asked}`);
    return orSaySo ? 0 : 3;
  }
  const faults = judge(asked, readExplanations(), new Date().toISOString().slice(0, 10));
  for (const fault of faults) console.error(fault);
  if (faults.length > 0) return 1;
  console.log(`no unexplained weakness in ${asked.packages} packages`);
  return 0;
}

/** What npm found, or a sentence why it could not look. */
function askNpm() {
  const { stdout, stderr, error } = spawnSync('npm', ['audit', '--omit=dev', '--json'], {
    encoding: 'utf8',
    timeout: 120_000,
  });
  if (error) return `npm audit: ${error.message}`;
  let report;
  try {
    report = JSON.parse(stdout);
  } catch {
    return `npm audit said no JSON: ${stderr.trim().split('\n').at(-1) ?? ''}`;
  }
  if (report.vulnerabilities === undefined)
    return `npm audit: ${report.message ?? report.error?.summary ?? 'no report'}`;
  const found = Object.values(report.vulnerabilities)
    .flatMap(({ name, via }) =>
      via.filter((each) => typeof each === 'object').map((each) => ({ package: name, ...each })),
    )
    .map(({ package: name, url, title, severity }) => ({ id: url.split('/').at(-1), package: name, title, severity }));
  return { found, packages: report.metadata.dependencies.prod };
}

function readExplanations() {
  if (!existsSync(EXPLANATIONS)) return [];
  return JSON.parse(readFileSync(EXPLANATIONS, 'utf8'));
}

function judge({ found }, explanations, today) {
  const isOf = (advisory) => (explanation) =>
    explanation.id === advisory.id && explanation.package === advisory.package;
  return [
    ...found
      .filter((advisory) => !explanations.some(isOf(advisory)))
      .map((advisory) => `${advisory.package}: ${advisory.severity}: ${advisory.title} (${advisory.id})`),
    ...explanations
      .filter((explanation) => !found.some((advisory) => isOf(advisory)(explanation)))
      .map((explanation) => `${EXPLANATIONS}: ${explanation.id} of ${explanation.package} is found no more: remove it`),
    ...explanations
      .filter(({ until, why }) => !why || !until || until < today)
      .map(({ id }) => `${EXPLANATIONS}: ${id} has no reason, or its day (until) is over: look again`),
  ];
}

process.exitCode = main();
