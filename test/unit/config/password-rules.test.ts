import { passwordFault } from '../../../config/password-rules';

describe('a password', () => {
  it.each([
    ['Correct horse battery', 'olga'],
    ['correct horse battery 9', null],
    ['Übergrößen-Träger', null],
    ['密码密马尔康市 Straße 17', null],
  ])('may be "%s"', (password, user) => {
    expect(passwordFault(password, user)).toBeNull();
  });

  it.each([
    ['Short-1', 'has fewer than 12 characters'],
    ['Eleven-char', 'has fewer than 12 characters'],
    [`Aa1${'-'.repeat(1_022)}`, 'has more than 1024 characters'],
    ['correct horse battery staple', 'needs three of: lower case, upper case, digits, anything else'],
    ['123456789012-', 'needs three of: lower case, upper case, digits, anything else'],
    ['Aa1Aa1Aa1Aa1', 'has fewer than 6 different characters'],
    ['I am Olga, hello 1', 'contains the name of its user'],
    ['PASSWORD123!', 'is one that stands in every list'],
    ['pASSWORD123!', 'is one that stands in every list'],
  ])('"%s" %s', (password, fault) => {
    expect(passwordFault(password, 'olga')).toBe(fault);
  });

  it('is counted in characters as they are read, not in what they are made of', () => {
    expect(passwordFault('Ae\u0301e\u0301e\u0301e\u0301e\u0301-1234')).toBe('has fewer than 12 characters');
  });
});
