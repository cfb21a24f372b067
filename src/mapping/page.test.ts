import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { mappingSchema } from './config.ts';
import { FUNCTION_FORMS } from './expression/compile.ts';

const page = readFileSync(join(import.meta.dirname, '../../docs/mapping.md'), 'utf8');

test('every mapping on docs/mapping.md is one', () => {
  const blocks = [...page.matchAll(/^```yaml\n(.*?)^```/gms)].map(([, text]) => text ?? '');
  expect(blocks.length).toBeGreaterThan(3);
  for (const text of blocks) expect(mappingSchema().safeParse(parse(text)).error?.issues ?? []).toEqual([]);
});

test('every function of an expression is on docs/mapping.md as it is written', () => {
  const isThere = (form: string): boolean =>
    page.includes(`\`${form}`) || page.includes(`\`${form.replace(/ %H:%i:%s/, '')}`);
  expect(FUNCTION_FORMS.filter((form) => !isThere(form))).toEqual([]);
});

test('every key of a rule is on docs/mapping.md', () => {
  const { properties } = ruleSchema();
  for (const key of Object.keys(properties)) expect(page).toMatch(new RegExp(`^\\| \`${key}\` `, 'm'));
});

interface Schema {
  readonly properties: Readonly<Record<string, Schema>>;
  readonly additionalProperties: Schema;
  readonly anyOf: readonly (Schema & { readonly 'x-name'?: string })[];
}

function ruleSchema(): Schema {
  const schema = mappingSchema().toJSONSchema({ io: 'input', unrepresentable: 'any' }) as unknown as Schema;
  const rule = schema.properties['tables']?.additionalProperties.anyOf.find(
    (one) => one['x-name'] === 'MappingRuleConfig',
  );
  if (rule === undefined) throw new Error('the schema has no rule');
  return rule;
}
