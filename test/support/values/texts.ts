import type { Dice } from './dice.ts';

/** Characters of the alphabets that the servers' character sets are for. What a set lacks, the server stores as `?`. */
const ALPHABETS: readonly (readonly string[])[] = [
  'abcXYZ 0189_-.,;"\\/`%\t\n',
  'äöüßÄÖÜéèñçå§°£€',
  'łęąśżźćńŁŐűőřšč',
  'абвгдЖЩЪюяё№',
  'αβγΩΣλ',
  'אבגדהו',
  'ابتثجح',
  'กขคงจฉ',
  'あいうえおアイウエオｱｲｳ',
  '漢字日本語中文汉语',
  '한국어글',
  '🚲😀𝄞\u{10ffff}',
  '\u0001\u001f\u007f\u00a0\u2028\ufeff\ufffd\u0300',
].map((alphabet) => Array.from(alphabet));

/** A random text of so many characters, of one alphabet or of several. */
export function randomText(dice: Dice, characters: number): string {
  if (characters > 400) {
    const piece = randomText(dice, dice.between(1, 40));
    return Array.from(piece.repeat(Math.ceil(characters / Array.from(piece).length)))
      .slice(0, characters)
      .join('');
  }
  const alphabet = dice.oneIn(3) ? ALPHABETS.flat() : dice.pick(ALPHABETS);
  const plain = dice.oneIn(3) ? (ALPHABETS[0] as readonly string[]) : alphabet;
  return dice.list(characters, () => dice.pick(dice.oneIn(2) ? alphabet : plain)).join('');
}

/** How many characters a value of a column of `max` characters has: none, one, all, around 255 and 256, anything. */
export function randomLength(dice: Dice, max: number): number {
  return Math.min(
    max,
    dice.pick([0, 1, 2, 5, max, max, max - 1, 255, 256, 257, 85, dice.between(0, Math.min(max, 40))]),
  );
}

/** As a literal that means the same on every connection and in every sql_mode. */
export function textLiteral(text: string): string {
  return `_utf8mb4 x'${Buffer.from(text, 'utf8').toString('hex')}'`;
}

export function bytesLiteral(bytes: Uint8Array): string {
  return `x'${Buffer.from(bytes).toString('hex')}'`;
}

export function quoteName(name: string): string {
  return `\`${name.replaceAll('`', '``')}\``;
}
