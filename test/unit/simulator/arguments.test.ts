import { readArguments, UsageError } from '../../../simulator/arguments';

describe('the arguments of the simulator', () => {
  it('need not be there', () => {
    expect(readArguments([])).toEqual({ silent: 0, disobey: 0, 'clock-skew': 0, offline: 0, fault: 0 });
  });

  it('make up a fleet, its weather and its faults', () => {
    const text =
      '--devices 300 --feeders 30 --speed 60 --seed 4 --interval 10 --time-of-day 09:30 --silent 3 --clock-skew 1';
    expect(readArguments(text.split(' '))).toEqual({
      devices: 300,
      feeders: 30,
      speed: 60,
      seed: 4,
      interval: 10,
      'time-of-day': '09:30',
      silent: 3,
      disobey: 0,
      'clock-skew': 1,
      offline: 0,
      fault: 0,
    });
  });

  it.each`
    args                                          | message
    ${['--devics', '3']}                          | ${/Unknown option '--devics'/}
    ${['--devices', 'many']}                      | ${/--devices: Invalid input/}
    ${['--time-of-day', '9:30']}                  | ${/--time-of-day: is not a time of day, HH:MM/}
    ${['--secondary', 'broker']}                  | ${/--secondary: is not host:port/}
    ${['--registry', 'a.yaml', '--devices', '3']} | ${/give either --registry or --devices and --feeders/}
    ${['--devices', '3', '--feeders', '4']}       | ${/--feeders must not be more than --devices/}
    ${['--speed=-1', '--interval', '0']}          | ${/--speed: Too small.*\n--interval: Too small/}
  `('$args are refused', ({ args, message }: { args: string[]; message: RegExp }) => {
    expect(() => readArguments(args)).toThrow(UsageError);
    expect(() => readArguments(args)).toThrow(message);
  });
});
