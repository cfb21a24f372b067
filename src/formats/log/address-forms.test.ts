import { isIPv4, isIPv6 } from 'node:net';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { canonicalInet4, canonicalInet6, canonicalUuid } from './address-forms.ts';

test.each([
  ['::', '0:0:0:0:0:0:0:0'],
  ['::1', '0:0:0:0:0:0:0:1'],
  ['1::', '1:0:0:0:0:0:0:0'],
  ['FE80::00A0:1', 'fe80:0:0:0:0:0:a0:1'],
  ['0:0:0:0:0:0:0:1', '0:0:0:0:0:0:0:1'],
  ['::ffff:192.0.2.128', '0:0:0:0:0:ffff:c000:280'],
  ['::C000:0280', '0:0:0:0:0:0:c000:280'],
  ['1:2:3:4:5:6:7::', '1:2:3:4:5:6:7:0'],
])('the IPv6 address %s is %s', (text, canonical) => {
  expect(canonicalInet6(text)).toBe(canonical);
});

test('what is an address is so for the system, too', () => {
  const piece = fc.constantFrom(':', '::', '0', '1', 'ff', 'ffff', '12345', 'g', '.', '1.2.3.4', '256', ' ', '%1');
  const text = fc.oneof(
    fc.ipV6(),
    fc.ipV4(),
    fc.array(piece, { maxLength: 17 }).map((pieces) => pieces.join('')),
  );
  fc.assert(
    fc.property(text, (address) => {
      // The databases take numbers with a zero in front, and here it would be an octal number to some.
      fc.pre(!/(^|[:.])0\d+\./.test(address));
      expect(canonicalInet6(address) !== null).toBe(isIPv6(address) && !address.includes('%'));
      if (isIPv4(address)) expect(canonicalInet4(address)).toBe(address);
    }),
    { numRuns: 2000 },
  );
});

test('a UUID is the same in either case and without its hyphens', () => {
  const digits = '0016d3cc2fa111d2883f0016d3ccf427';
  expect(canonicalUuid('0016D3CC-2FA1-11D2-883F-0016D3CCF427')).toBe(digits);
  expect(canonicalUuid(digits)).toBe(digits);
  for (const none of ['', digits.slice(1), `${digits}0`, `g${digits.slice(1)}`]) expect(canonicalUuid(none)).toBeNull();
});
