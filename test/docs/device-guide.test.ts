import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isRefusal, REFUSAL_REASONS } from '../../contracts/envelope';
import { parseMeasurement } from '../../contracts/measurement';
import { parseSetpoint, setpointMessage, type SetpointMessage } from '../../contracts/setpoint';
import { turned } from '../../contracts/sign';
import { parseTelemetry } from '../../contracts/telemetry';
import { topics } from '../../contracts/topics';
import { settings } from '../../config/schema';
import { pauseMs, USUAL_TIMING } from '../../simulator/agent-timing';

const GUIDE = readFileSync(join(__dirname, '../../docs/device-guide.md'), 'utf8');
const EXAMPLES = [...GUIDE.matchAll(/```json\n([^]*?)```/g)].map(([, text = '']) => text);
const WINDOW = { nowMs: 1_767_225_601_000, maxPayloadBytes: 16_384, maxAgeMs: 30 * 86_400_000 };

describe('the device guide', () => {
  it('shows telemetry, setpoints and a measurement', () => {
    expect(EXAMPLES.map((text) => (JSON.parse(text) as { messageType: string }).messageType)).toEqual([
      'telemetry',
      'telemetry',
      'telemetry',
      'setpoint',
      'setpoint',
      'setpoint',
      'measurement',
    ]);
  });

  it.each(EXAMPLES.map((text, index) => [index + 1, text] as const))(
    'has an example %i that is taken',
    (_index, text) => {
      const payload = Buffer.from(text);
      const message = JSON.parse(text) as {
        messageType: string;
        deviceType: string;
        deviceId: string;
        feederId: string;
      };
      switch (message.messageType) {
        case 'telemetry':
          expect(parseTelemetry(`${message.deviceType}/${message.deviceId}`, payload, WINDOW)).not.toHaveProperty(
            'refused',
          );
          break;
        case 'measurement':
          expect(parseMeasurement(message.feederId, payload, WINDOW)).not.toHaveProperty('refused');
          break;
        case 'setpoint':
          expect(asWeWriteIt(JSON.parse(text) as SetpointMessage)).toEqual(JSON.parse(text));
          break;
        default:
          throw new Error(`no contract for ${message.messageType}`);
      }
    },
  );

  it('explains every reason for which we refuse a message, and no other', () => {
    const listed = [...GUIDE.slice(GUIDE.indexOf('## What is refused')).matchAll(/^\| `([a-z-]+)` +\|/gm)];
    expect(listed.map(([, reason]) => reason)).toEqual([...REFUSAL_REASONS]);
  });

  it('names the topics of the contract', () => {
    const { telemetry, meter, setpoint } = topics('der');
    const named = [...GUIDE.matchAll(/^\| `<prefix>([^`]+)` +\|/gm)].map(([, topic = '']) =>
      `der${topic}`.replace('<deviceType>', 'ev').replace('<deviceId>', 'x').replace('<feederId>', 'x'),
    );
    expect(named).toEqual([telemetry('ev', 'x'), meter('x'), setpoint('ev', 'x')]);
  });

  it('asks of an agent what the simulated ones do: keepalive, reconnects, patience', () => {
    const row = (name: string): string => new RegExp(`^\\| ${name} +\\| (.*) \\|$`, 'm').exec(GUIDE)?.[1] ?? '';
    const seconds = (text: string, pattern: RegExp): number[] =>
      (pattern.exec(text) ?? []).slice(1).map((each) => Number(each) * 1_000);
    const [keepaliveMs, , acknowledgedWithinMs] = [
      ...seconds(row('Keepalive'), /^([\d.]+) s where traffic costs nothing, ([\d.]+) s at most/),
      ...seconds(row('Keepalive'), /not acknowledged within ([\d.]+) s/),
    ];
    const [shortestMs, longestMs, mostMs] = seconds(
      row('Reconnect'),
      /^after ([\d.]+) to ([\d.]+) s, then double up to ([\d.]+) s/,
    );
    const [nothingComesMs] = seconds(row('When nothing comes'), /for ([\d.]+) s no other came/);
    const [turnAtMostEachMinutesMs] = seconds(row('When nothing comes'), /than each ([\d.]+) minutes/);
    expect(USUAL_TIMING).toMatchObject({
      keepaliveSeconds: keepaliveMs! / 1_000,
      acknowledgedWithinMs,
      nothingComesMs,
      turnAtMostEachMs: turnAtMostEachMinutesMs! * 60,
    });
    expect(pauseMs(USUAL_TIMING, 0, () => 0)).toBeGreaterThanOrEqual(shortestMs!);
    expect(pauseMs(USUAL_TIMING, 0, () => 1)).toBeLessThanOrEqual(longestMs! + 5);
    expect(pauseMs(USUAL_TIMING, 20, () => 1)).toBeLessThanOrEqual(mostMs!);
  });

  it('gives the defaults of the settings that it names', () => {
    const named = [...GUIDE.matchAll(/`([A-Z][A-Z_]+)` \(([\d.,]+)( %)?\)/g)];
    expect(named.length).toBeGreaterThanOrEqual(6);
    for (const [, name = '', value = '', percent] of named) {
      const schema = settings[name as keyof typeof settings]; // undefined fails the next line
      const number = Number(value.replaceAll(',', '')) / (percent === undefined ? 1 : 100);
      expect([name, schema.parse(undefined)]).toEqual([name, number]);
    }
  });
});

/** The same setpoint as the control plane would write it: the example has neither more nor less than a real one. */
function asWeWriteIt(example: SetpointMessage): SetpointMessage {
  const read = parseSetpoint(Buffer.from(JSON.stringify(example)));
  if (isRefusal(read)) throw new Error(read.detail);
  return setpointMessage({
    messageId: read.messageId,
    planId: read.correlationId ?? '',
    deviceId: example.deviceId,
    deviceType: example.deviceType,
    sign: null,
    targetKw: turned(read.targetPowerKw, example.deviceType, null),
    validUntilMs: read.validUntilMs,
    timestampMs: read.timestampMs,
    rampKwPerS: read.rampKwPerS,
    allocator: example.payload.reason.allocator,
    notes: example.payload.reason.notes ?? '',
  });
}
