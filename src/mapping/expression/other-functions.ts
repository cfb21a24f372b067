import { isoMicroseconds } from '../../formats/json-text.ts';
import type { Call, FunctionSpec } from './call.ts';
import { type Compiled, strict, valueOf } from './compiled.ts';
import { compileDateFormat, DATE_PARTS, epochMicrosOf, timestampOf } from './dates.ts';
import { jsonAt, type JsonPath, parseJsonPath, scalarText } from './json-path.ts';
import type { Scaled } from './scaled-number.ts';
import { TYPES } from './value-type.ts';

const MICROSECOND_DIGITS = 6;

export const DATE_FUNCTIONS: Readonly<Record<string, FunctionSpec>> = {
  ...Object.fromEntries(Object.keys(DATE_PARTS).map((name) => [name, datePart(name)])),
  date: { form: 'date(time)', args: [1, 1], compile: date },
  date_format: { form: "date_format(time, '%Y-%m-%d %H:%i:%s')", args: [2, 2], compile: dateFormat },
  epoch_us: { form: 'epoch_us(timestamp)', args: [1, 1], compile: epochUs },
  from_epoch: { form: 'from_epoch(seconds)', args: [1, 1], compile: fromEpoch },
};

function datePart(name: string): FunctionSpec {
  const [from, to] = DATE_PARTS[name] as readonly [number, number];
  return {
    form: `${name}(time)`,
    args: [1, 1],
    compile: (call) => {
      const part = strict(call.of<string>(0, ['date', 'datetime', 'timestamp'], 'a date'), (text) =>
        Number(text.slice(from, to)),
      );
      return valueOf(TYPES.bigint, part, call.label);
    },
  };
}

function date(call: Call): Compiled {
  const day = strict(call.of<string>(0, ['date', 'datetime', 'timestamp'], 'a date'), (text) => text.slice(0, 10));
  return valueOf(TYPES.date, day, call.label);
}

function dateFormat(call: Call): Compiled {
  const format = compileDateFormat(call.stringLiteral(1));
  if (format === null) throw call.mistake(1, 'a format of %Y, %m, %d, %H, %i, %s and %%');
  const text = strict(call.of<string>(0, ['date', 'datetime', 'timestamp'], 'a date'), format);
  return valueOf(TYPES.varchar(call.stringLiteral(1).length * 2), text, call.label);
}

function epochUs(call: Call): Compiled {
  const wanted = 'a TIMESTAMP (a DATETIME is cast to one)';
  return valueOf(TYPES.bigint, strict(call.of<string>(0, ['timestamp'], wanted), epochMicrosOf), call.label);
}

function fromEpoch(call: Call): Compiled {
  const { scaled, scale } = call.scaled(0);
  if (scale > MICROSECOND_DIGITS) throw call.mistake(0, `at most ${MICROSECOND_DIGITS} digits behind the point`);
  return valueOf(
    TYPES.moment('timestamp', scale),
    strict<Scaled>(scaled, (value) => timestampOf(value, scale)),
    call.label,
  );
}

export const JSON_FUNCTIONS: Readonly<Record<string, FunctionSpec>> = {
  json_get: { form: "json_get(document, 'a.b[0]')", args: [2, 2], compile: jsonGet },
  json_value: { form: "json_value(document, 'a.b[0]')", args: [2, 2], compile: jsonValue },
};

function pathOf(call: Call): JsonPath {
  const path = parseJsonPath(call.stringLiteral(1));
  if (path === null) throw call.mistake(1, "a path such as 'a.b[0]'");
  return path;
}

function jsonGet(call: Call): Compiled {
  const path = pathOf(call);
  const document = call.of<string>(0, ['json', 'text'], 'a document');
  return valueOf(
    TYPES.json,
    strict(document, (text) => jsonAt(text, path)),
    call.label,
  );
}

function jsonValue(call: Call): Compiled {
  const path = pathOf(call);
  const document = call.of<string>(0, ['json', 'text'], 'a document');
  const value = strict(document, (text) => {
    const found = jsonAt(text, path);
    return found === null ? null : scalarText(found);
  });
  return valueOf(TYPES.text, value, call.label);
}

/** Of the change, not of the row: the same for both images. */
export const CHANGE_FUNCTIONS: Readonly<Record<string, FunctionSpec>> = {
  scn: {
    form: 'scn()',
    args: [0, 0],
    compile: (call) => valueOf({ ...TYPES.bigint, nullable: false }, (_, change) => change.scn, call.label),
  },
  committed_at: {
    form: 'committed_at()',
    args: [0, 0],
    compile: (call) =>
      valueOf(
        { ...TYPES.moment('timestamp', MICROSECOND_DIGITS), nullable: false },
        (_, change) => isoMicroseconds(change.committedAtUs),
        call.label,
      ),
  },
  op: {
    form: 'op()',
    args: [0, 0],
    compile: (call) => valueOf({ ...TYPES.varchar(6), nullable: false }, (_, change) => change.kind, call.label),
  },
};
