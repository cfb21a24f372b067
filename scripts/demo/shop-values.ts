import { FIRST_NAMES, LAST_NAMES, NOTES } from './shop.ts';

/** Number `number` of the shop's products, from 0 on. */
export function skuOf(number: number): string {
  return `SKU-${String(1000 + number)}`;
}

export function money(cents: number): string {
  return (Math.round(cents) / 100).toFixed(2);
}

/** Somebody's name, note, and when they joined. */
export function someone(): readonly [string, string | null, string] {
  const joined = new Date(Date.now() - random(400 * 24 * 3600) * 1000).toISOString().replace('T', ' ').slice(0, 23);
  return [`${pick(FIRST_NAMES)} ${pick(LAST_NAMES)}`, pick(NOTES) ?? null, joined];
}

export function random(below: number): number {
  return Math.floor(Math.random() * below);
}

export function pick<T>(from: readonly T[]): T | undefined {
  return from[random(from.length)];
}
