import type { Spread } from '../db/loop-figures';
import type { LoopProfile } from './loop-profile';

/** The profile as a person reads it in a terminal. */
export function toldProfile(profile: LoopProfile): string {
  const { rootFeederId, cycle, intervalSeconds, watchedSeconds } = profile;
  return [
    `Control loop of ${rootFeederId}, cycle ${cycle}, every ${intervalSeconds} s; watched for ${watchedSeconds} s.`,
    ...section('Live cycles, s', live(profile)),
    ...section('Planned again and undone, ms (median)', steps(profile)),
    ...section('Slowest statements of a cycle, ms, with their plans', statements(profile)),
    ...section('Most time in PostgreSQL meanwhile (pg_stat_statements)', busiest(profile)),
    ...section('Transactions open for longer than a second', transactions(profile)),
    ...section('Messages stored, of the tree, by feeder: per second, most in one second', rates(profile.feeders)),
    ...section('Messages stored, by device', rates(profile.devices)),
    ...section('Refused in this hour and the last', refused(profile)),
  ].join('\n');
}

const section = (title: string, lines: readonly string[]): string[] => [
  '',
  title,
  ...(lines.length === 0 ? ['  none'] : lines.map((line) => `  ${line}`)),
];

const figure = (value: number | null): string => (value === null ? '–' : value.toFixed(3));
const ms = (value: number): string => (Number.isNaN(value) ? '–' : value.toFixed(1)).padStart(8);
const spreadOf = (name: string, { seen, median, p99, most }: Spread): string =>
  `${name.padEnd(32)} median ${figure(median)}  p99 ${figure(p99)}  most ${figure(most)}  of ${seen}`;

const live = ({ live: { tickToPlan, planToAcknowledged, missedTicks } }: LoopProfile): string[] => [
  spreadOf('tick → plan', tickToPlan),
  spreadOf('plan → last acknowledgement', planToAcknowledged),
  `${'ticks missed'.padEnd(32)} ${missedTicks}`,
];

const steps = ({ rehearsed: { steps: each, wholeMs, rounds, failures } }: LoopProfile): string[] => [
  ...Object.entries(each).map(([step, took]) => `${step.padEnd(8)} ${ms(took)}`),
  `${'whole'.padEnd(8)} ${ms(wholeMs)}   of ${rounds} rounds`,
  ...[...new Set(failures)].map((failure) => `NOT TO AN END: ${failure}`),
];

const oneLine = (text: string): string => text.replace(/\s+/g, ' ').trim().slice(0, 110);

const statements = ({ rehearsed }: LoopProfile): string[] =>
  rehearsed.statements.flatMap(({ text, ms: took, plan }) =>
    plan === null ? [] : [`${ms(took)}  ${oneLine(text)}`, ...plan.split('\n').map((line) => `            ${line}`)],
  );

const busiest = ({ busiestStatements: found }: LoopProfile): string[] =>
  found === null
    ? ['not there, or not ours to see: docs/production.md, "PostgreSQL"']
    : found.map(({ calls, totalMs, text }) => `${ms(totalMs)} ms in ${calls} calls  ${oneLine(text)}`);

const transactions = ({ longTransactions }: LoopProfile): string[] =>
  longTransactions.map(({ pid, user, application, state, seconds, waitsFor, statement }) => {
    const waits = waitsFor.length > 0 ? `, waits for ${waitsFor.join(', ')}` : '';
    if (seconds === null)
      return `pid ${pid} ${user ?? ''} keeps others waiting${waits}; the rest is for its role and pg_monitor to see`;
    return `pid ${pid} ${user ?? ''} "${application ?? ''}" ${state ?? ''} for ${seconds.toFixed(1)} s${waits}: ${oneLine(statement)}`;
  });

const rates = (found: LoopProfile['feeders']): string[] =>
  found.map(
    ({ id, perSecond, burst }) => `${id.padEnd(40)} ${perSecond.toFixed(2).padStart(8)} ${String(burst).padStart(6)}`,
  );

const refused = ({ refused: found }: LoopProfile): string[] =>
  found.map(
    ({ sender, reason, messages, peakPerSecond }) =>
      `${sender.padEnd(40)} ${reason.padEnd(20)} ${messages}, at most ${peakPerSecond.toFixed(0)} per second`,
  );
