/**
 * Folds text coarser than any collation: what a collation of the servers holds for equal folds to the same text, whatever the
 * collation is. Part of the log's format (key-hash.ts), so it never changes.
 *
 * 1. Compatibility decomposition, upper case, and decomposition again: `Å` becomes `A` and a ring, `ﬁ` becomes `FI`, `㏈` becomes `DB`.
 * 2. Each character by itself: letters and digits stay, with digits of all scripts as ASCII's, katakana as hiragana and small kana as
 *    full ones, and what LIKE lists as what stands there. Everything else goes: marks, punctuation, symbols, spaces, controls, and all
 *    characters beyond U+FFFF, which the older collations do not tell apart.
 * 3. Of the Latin letters, those that some language takes for another become that one, or go: I, J, U, V, W and Y become I; H goes;
 *    E goes behind A, O and I (`ä` is `ae` in German phone books); a letter that is doubled stands once (`ß` is `ss`, `å` is `aa`).
 *
 * test/integration/mysql/collations.test.ts holds it against both servers: every character and every two letters under every collation.
 * What it leaves out, as no key will rely on it: collations of 8-bit character sets that take letters for punctuation, a few with plain
 * errors in their tables, Polish ę in Swedish, and letters in disguise beyond U+FFFF under collations that know no such characters.
 */
export function foldText(text: string): string {
  const plain = NOT_ASCII.test(text) ? plainText(text) : text;
  let folded = '';
  let last = 0;
  for (let i = 0; i < plain.length; i++) {
    const code = plain.charCodeAt(i);
    const unit = code < 0x80 ? (FOLDED_ASCII[code] as number) : code;
    if (unit === 0 || isSilent(unit, last)) continue;
    folded += String.fromCharCode(unit);
    last = unit;
  }
  return folded;
}

const [A, E, I, O, Z] = [0x41, 0x45, 0x49, 0x4f, 0x5a];

/** What an ASCII character folds to; 0: nothing. */
export const FOLDED_ASCII: Uint8Array = foldedAscii();

/** Whether a folded character goes, because of the one before it that stayed. */
export function isSilent(unit: number, last: number): boolean {
  return unit === E ? last === E || last === A || last === O || last === I : unit === last && unit >= A && unit <= Z;
}

const NOT_ASCII = /[^\0-\x7f]/;

function foldedAscii(): Uint8Array {
  const folded = new Uint8Array(128);
  for (const character of '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ') {
    const unit = 'JUVWY'.includes(character) ? I : character.charCodeAt(0);
    if (character === 'H') continue;
    folded[character.charCodeAt(0)] = unit;
    folded[character.toLowerCase().charCodeAt(0)] = unit;
  }
  return folded;
}

/** Of text that is not all ASCII, the letters and digits that count. */
function plainText(text: string): string {
  let plain = '';
  for (const character of text.normalize('NFKD').toUpperCase().normalize('NFKD')) {
    plain += character < '\x80' ? character : plainCharacter(character);
  }
  return plain;
}

const KANA_OFFSET = 0x60;
const SMALL_KANA = 'ぁぃぅぇぉっゃゅょゎゕゖ';
const FULL_KANA = 'あいうえおつやゆよわかけ';

function plainCharacter(character: string): string {
  if (character.length > 1) return '';
  const like = LIKE.get(character);
  if (like !== undefined) return like;
  if (/\p{Nd}/u.test(character)) return asciiDigit(character);
  const kana =
    character >= 'ァ' && character <= 'ヶ' ? String.fromCharCode(character.charCodeAt(0) - KANA_OFFSET) : character;
  const small = SMALL_KANA.indexOf(kana);
  if (small >= 0) return FULL_KANA.charAt(small);
  return /[\p{L}\p{N}]/u.test(kana) ? kana : '';
}

/** The digits of every script stand together in tens, and each ten begins with its zero. */
function asciiDigit(digit: string): string {
  const code = digit.charCodeAt(0);
  let zero = code;
  while (code - zero < 9 && /\p{Nd}/u.test(String.fromCharCode(zero - 1))) zero--;
  return String(code - zero);
}

/**
 * Characters without a decomposition that some collation holds for equal to others: `target:character,character …`, by their code points
 * in hexadecimal. A target is ASCII text, `+` and a code point, or `-` for nothing.
 */
const LIKE_TABLE: readonly string[] = [
  '-:126,399,640,7fa,824,828,1023,1cf2,1cf3,fe73 0:c78,f33,17f0,24ff,3007',
  '1:9f4,c79,c7c,f2a,1369,17f1,19da,24f5,2776,2780,278a,3021 10:24fe,277f,2789,2793,3248 11:24eb 12:24ec 13:24ed 14:24ee',
  '15:24ef 16:24f0 17:24f1 18:24f2 19:24f3 2:9f5,c7a,c7d,f2b,136a,17f2,24f6,2777,2781,278b,3022 20:24f4,3249',
  '3:9f6,c7b,c7e,f2c,136b,17f3,24f7,2778,2782,278c,3023 30:324a 4:9f7,f2d,136c,17f4,24f8,2779,2783,278d,3024 40:324b',
  '5:f2e,136d,17f5,24f9,277a,2784,278e,3025 50:324c 6:f2f,136e,17f6,2185,24fa,277b,2785,278f,3026',
  '7:f30,136f,17f7,24fb,277c,2786,2790,3027 8:f31,1370,17f8,24fc,277d,2787,2791,3028 9:f32,1371,17f9,24fd,277e,2788,2792,3029',
  'A:c6,363,1d22,1dd3,1dd4,1df2,a732,a79a,a7c0 AI:1dd6,a736,a738,a73a,a73c AO:1dd5,a734 AS:214d B:1de8 C:368,1dd7',
  'D:d0,110,369,1dd8,1dd9,a779 DB:238 DZ:2a3 E:364 F:191,1deb,a77b G:1acc,1dda,a77d,a7a0',
  'I:365,367,36e,1abf,1d21,1df0,1df1,1df4,a760,a79e,a7c2 K:1ddc,a7a2 L:141,1ddd,1efa LS:2aa LZ:2ab M:36b N:1de0,a7a4',
  'O:d8,152,366,1ded,1df3,a74e,a79c P:1dee QP:239 R:36c,1acd,1dca,1de3,a75a,a782,a7a6 S:1de4,1de5,1e9e,a784,a7a8,a7d8',
  'T:de,36d,1ace,1d7a,a786 TS:1be,2a6 TZ:a728 X:36f Z:1de6 ZI:18d +18f:1dea +1a6:1de2 +1a9:1def +262:1ddb +274:1de1 +28d:1ac0',
  '+29f:1dde +404:a674 +406:a676 +410:2df6 +411:2de0 +412:2de1 +413:490,2de2 +414:2de3 +415:2df7 +416:2de4 +417:2de5',
  '+418:a675 +41a:2de6 +41b:2de7 +41c:2de8 +41d:2de9 +41e:2dea,a668,a66a,a66c,a66e,a698,a69a +41f:2deb +420:2dec +421:2ded',
  '+422:2dee +423:a677 +424:a69e +425:2def +426:2df0 +427:2df1 +428:2df2 +429:2df3 +42a:a678 +42b:a679 +42c:a67a +42e:2dfb',
  '+460:a67b +462:2dfa +464:a69f +466:2dfd +46a:2dfe +46c:2dff +472:2df4 +5da:5db +5dd:5de +5df:5e0 +5e3:5e4 +5e5:5e6',
  '+621:674,6fd,883,887 +627:870,871,872,873,874,875,876,877,878,879,87a,87b,87c,87d,87e,87f,880,881,882,8ad +62a:638',
  '+645:6fe +648:6e5,884 +64a:6e6,885,886 +6cc:8c9 +712:72d +713:714,72e +715:72f +71b:71c +723:724 +726:727 +7d6:7e8',
  '+7d7:7e9 +7d9:7ea +d4e:d7c +f62:f6a +1027:1028 +10a0:1c90 +10a1:1c91 +10a2:1c92 +10a3:1c93 +10a4:1c94 +10a5:1c95',
  '+10a6:1c96 +10a7:1c97 +10a8:1c98 +10a9:1c99 +10aa:1c9a +10ab:1c9b +10ac:1c9c +10ad:1c9d +10ae:1c9e +10af:1c9f +10b0:1ca0',
  '+10b1:1ca1 +10b2:1ca2 +10b3:1ca3 +10b4:1ca4 +10b5:1ca5 +10b6:1ca6 +10b7:1ca7 +10b8:1ca8 +10b9:1ca9 +10ba:1caa +10bb:1cab',
  '+10bc:1cac +10bd:1cad +10be:1cae +10bf:1caf +10c0:1cb0 +10c1:1cb1 +10c2:1cb2 +10c3:1cb3 +10c4:1cb4 +10c5:1cb5 +16a0:16a1',
  '+16a2:16a4,16a5 +16a6:16a7 +16a8:16a9,16ac,16ad,16ae +16b2:16b3,16b4,16b5,16b6 +16b9:16e9 +16ba:16bb,16bc,16bd',
  '+16be:16bf,16c0 +16c1:16c2 +16c3:16c4 +16c5:16c6 +16c8:16d5 +16ca:16cb,16cc,16cd,16ce,16ea +16cf:16d0,16d1 +16d2:16d3,16d4',
  '+16d7:16d8,16d9 +16da:16db +16dc:16dd +16e6:16e7,16e8 +1a26:1a58,1a59 +1a3b:1a5a,1a5b +1b83:1bba +1b8a:1bbe +1b99:1bbf',
  '+1bc0:1bc1 +1bc2:1bc3,1bc4 +1bc5:1bc6 +1bc7:1bc8 +1bc9:1bca +1bcb:1bcc,1bcd +1bce:1bcf +1bd2:1bd3 +1bd4:1bd5 +1bd6:1bd7',
  '+1bd8:1bd9,1bda +1bdb:1bdc +1bde:1bdf +1ce9:1cea,1ceb,1cec,1cee,1cef,1cf0,1cf1,1cfa +1d08:a7ab +1d09:1d4e +1d0d:1ddf',
  '+2c6d:1de7 +3031:3032 +3033:3034 +304f:31f0 +3057:31f1 +3059:31f2 +3068:31f3 +306c:31f4 +306f:31f5 +3072:31f6 +3075:31f7',
  '+3078:31f8 +307b:31f9 +3080:31fa +3089:31fb +308a:31fc +308b:31fd +308c:31fe +308d:31ff +309d:30fd +3105:31a0 +3106:31b4',
  '+310a:31b5 +310d:31a3,31bb +310e:31b6 +310f:31b7 +3110:31a2 +3117:31a1 +311a:31a9 +311b:31a7 +311c:312e +311e:31ae',
  '+3120:31af +3127:31aa,31b3 +3128:31a8,31ab +31a4:31a5 +4e2c:2ea6 +4e36:2e80 +4e59:2e84 +4e5a:2e83 +4e5b:2e82 +4ebb:2e85',
  '+5182:2e86 +51e0:2e87 +5200:2e88 +5202:2e89 +535c:2e8a +5369:2e8b +5382:2e81 +5c0f:2e8c,2e8d +5c22:2e8e,2e90',
  '+5c23:2e8f,2e91 +5df3:2e92 +5e7a:2e93 +5f50:2e95 +5f51:2e94 +5fc3:2e97 +5fc4:2e96 +624c:2e98 +6535:2e99 +65e1:2e9b',
  '+65e5:2e9c +6708:2e9d +6b7a:2e9e +6c11:2ea0 +6c35:2ea1 +6c3a:2ea2 +706c:2ea3 +722b:2ea4,2ea5 +725b:2ea7 +72ad:2ea8',
  '+738b:2ea9 +758b:2eaa +76ee:2eab +793a:2eac +793b:2ead +7af9:2eae +7cf9:2eaf +7e9f:2eb0 +7f52:2eb2,2eb5',
  '+7f53:2eb1,2eb3,2eb4 +7f8a:2eb6,2eb7 +7f8b:2eb8 +8002:2eb9 +807f:2ebb +8080:2eba +8089:2ebc +81fc:2ebd',
  '+8279:2ebe,2ebf,2ec0 +864e:2ec1 +8864:2ec2 +897f:2ec4 +8980:2ec3 +89c1:2ec5 +89d2:2ec6,2ec7 +8ba0:2ec8 +8d1d:2ec9',
  '+8db3:2eca +8f66:2ecb +8fb6:2ecc,2ecd,2ece +9091:2ecf +9485:2ed0 +9577:2ed1 +9578:2ed2 +957f:2ed3 +95e8:2ed4 +961c:2ed5',
  '+961d:2ed6 +96e8:2ed7 +9752:2ed8 +97e6:2ed9 +9875:2eda +98ce:2edb +98de:2edc +98df:2edd +98e0:2ede,2edf +9963:2ee0',
  '+9996:2ee1 +9a6c:2ee2 +9aa8:2ee3 +9b3c:2ee4 +9c7c:2ee5 +9e1f:2ee6 +9e75:2ee7 +9ea6:2ee8 +9ec4:2ee9 +9efe:2eea +9f4a:2eeb',
  '+9f50:2eec +9f52:2eed +9f7f:2eee +9f8d:2eef +9f99:2ef0 +9f9c:2ef1,2ef2 +a558:a610 +a56a:a611 +a56e:a62a +a587:a612',
  '+a5d1:a62b +a648:2df8 +a64a:2df9 +a656:2dfc +a76e:1dd2 +a7b4:1de9 +a8f2:a8f3,a8f4,a8f5,a8f6,a8f7 +a9ab:a9ac +ab38:1dec',
];

const LIKE: ReadonlyMap<string, string> = new Map(
  LIKE_TABLE.flatMap((line) => line.split(' ')).flatMap((word) => {
    const [target = '', characters = ''] = word.split(':');
    const text = target === '-' ? '' : target.startsWith('+') ? fromHex(target.slice(1)) : target;
    return characters.split(',').map((character): [string, string] => [fromHex(character), text]);
  }),
);

function fromHex(code: string): string {
  return String.fromCharCode(Number.parseInt(code, 16));
}
