import { readLogLine } from '../../../broker/log-lines';

const at = (text: string): string => `2026-11-28T13:16:52: ${text}`;

describe('of the lines of Mosquitto', () => {
  it.each`
    line                                                                                       | client           | what           | topic
    ${"Denied PUBLISH from pv-1 (d0, q1, r0, m47286, 'der/telemetry/pv/pv-2', ... (1 bytes))"} | ${'pv-1'}        | ${'publish'}   | ${'der/telemetry/pv/pv-2'}
    ${"Denied PUBLISH from pv-1 (d0, q0, r1, m0, 'der/telemetry/pv/pv-2 a'b', ... (1 bytes))"} | ${'pv-1'}        | ${'publish'}   | ${"der/telemetry/pv/pv-2 a'b"}
    ${"Denied PUBLISH from derms-api-0 (d0, q1, r0, m3, 'x', ... (0 bytes))"}                  | ${'derms-api-0'} | ${'publish'}   | ${'x'}
    ${'pv-1 1 der/setpoints/pv/pv-2'}                                                          | ${'pv-1'}        | ${'subscribe'} | ${'der/setpoints/pv/pv-2'}
    ${'pv-1 0 der/setpoints/#'}                                                                | ${'pv-1'}        | ${'subscribe'} | ${'der/setpoints/#'}
    ${'pv-1 0 #'}                                                                              | ${'pv-1'}        | ${'subscribe'} | ${'#'}
    ${'pv-1 2 +/+/+/+'}                                                                        | ${'pv-1'}        | ${'subscribe'} | ${'+/+/+/+'}
    ${'Client pv-1 disconnected due to oversize packet.'}                                      | ${'pv-1'}        | ${'oversized'} | ${null}
  `('$line tells of $client: $what', ({ line, client, what, topic }: Record<string, string>) => {
    expect(readLogLine(at(line!))).toEqual({ client, what, topic });
    expect(readLogLine(`1795871810: ${line!}`)).toEqual({ client, what, topic });
  });

  it.each([
    'pv-1 1 der/setpoints/pv/pv-1',
    'pv-1 1 der/setpoints/+/pv-1',
    'monitor 0 $SYS/#',
    'derms-ingest-0 1 $share/derms-ingest/der/telemetry/#',
    'simulator 1 der/simulation/profile',
    "Received PUBLISH from pv-1 (d0, q1, r0, m1, 'Denied PUBLISH from pv-2', ... (1 bytes))",
    'Sending PUBACK to pv-1 (m47285, rc0)',
    '\tder/setpoints/pv/pv-2 (QoS 1)',
    'No will message specified.',
  ])('%s is nothing to tell', (line) => {
    expect(readLogLine(at(line))).toBeNull();
  });

  it('the rest is for people', () => {
    expect(readLogLine(at('Error: Unable to load server certificate'))).toBe(
      'Error: Unable to load server certificate',
    );
    expect([readLogLine(''), readLogLine('half a line')]).toEqual([null, null]);
  });
});
