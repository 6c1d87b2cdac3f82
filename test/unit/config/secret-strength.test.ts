import { randomBytes } from 'node:crypto';
import { secretFault } from '../../../config/secret-strength';

const strict = { samplesAllowed: false };

describe('a secret that signs', () => {
  it('that was drawn is taken, however it is written', () => {
    for (let round = 0; round < 500; round += 1) {
      expect(secretFault(randomBytes(16).toString('hex'), strict)).toBeNull();
      expect(secretFault(randomBytes(24).toString('base64'), strict)).toBeNull();
      expect(secretFault(randomBytes(48).toString('base64url'), strict)).toBeNull();
    }
  });

  it.each([
    ['3f9c2e71b05d48a6', 'has fewer than 32 characters'],
    ['aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', 'repeats itself'],
    ['changemechangemechangemechangeme', 'repeats itself'],
    ['0123456789abcdef0123456789abcdef', 'repeats itself'],
    ['abcdefghijklmnopqrstuvwxyz0123456789', 'counts up or down'],
    ['11111111111111112222222222222222', 'counts up or down'],
    ['sesame sesame mesa seem sea mess a', 'is too regular to have been drawn: openssl rand -base64 48'],
  ])('"%s" %s', (secret, fault) => {
    expect(secretFault(secret, strict)).toBe(fault);
    expect(secretFault(secret, { samplesAllowed: true })).toBe(fault);
  });

  it.each([
    'please-change-me-before-you-go-live-9317',
    'REPLACE_WITH_OUTPUT_OF_OPENSSL_RAND_48',
    'your-jwt-goes-here-and-is-long-enough-51',
  ])('"%s" is a sample, good for development only', (secret) => {
    expect(secretFault(secret, strict)).toBe('is a sample value: openssl rand -base64 48');
    expect(secretFault(secret, { samplesAllowed: true })).toBeNull();
  });
});
