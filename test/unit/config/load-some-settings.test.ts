import { ConfigurationError, loadSomeSettings } from '../../../config/load';

describe('a process that needs only some settings', () => {
  it('gets these and asks for no others: no database password for a simulated device', () => {
    const settings = loadSomeSettings(['MQTT_HOST', 'MQTT_PORT'], { MQTT_PORT: '2883', DB_PORT: 'nonsense' }, 'no.env');

    expect(settings).toEqual({ MQTT_HOST: '127.0.0.1', MQTT_PORT: 2883 });
    expect(Object.isFrozen(settings)).toBe(true);
  });

  it('is told every fault of these at once', () => {
    const load = () => loadSomeSettings(['MQTT_PORT', 'DB_PASSWORD'], { MQTT_PORT: 'many' }, 'no.env');

    expect(load).toThrow(ConfigurationError);
    expect(load).toThrow(/MQTT_PORT: Invalid input.*\n {2}DB_PASSWORD: is required and missing/);
  });
});
