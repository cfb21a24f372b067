import type { RenameConfig } from './naming.ts';

/** The mapping of a sink, as its configuration says it. docs/mapping.md */
export interface MappingConfig extends MappingDefaults {
  /** By table pattern; the first that matches a table counts. @default every table as it is */
  readonly tables?: Readonly<Record<string, TableConfig>> | undefined;
  /** What holds for the tables of a database, by its name. */
  readonly databases?: Readonly<Record<string, MappingDefaults>> | undefined;
  /** A module with hooks. */
  readonly hooks?: string | undefined;
  /** How long a hook may take. ms. @default 30000 */
  readonly hookTimeout?: number | undefined;
}

/** Several rules: the row goes to several targets. `skip`: the tables are left out. */
export type TableConfig = 'skip' | RuleConfig | readonly RuleConfig[];

/** What a rule takes over from its database, and that from the sink. */
export interface MappingDefaults extends CommonConfig {
  readonly rename?:
    | {
        readonly databases?: RenameConfig | undefined;
        readonly tables?: RenameConfig | undefined;
        readonly columns?: RenameConfig | undefined;
      }
    | undefined;
}

interface CommonConfig {
  readonly to?: string | undefined;
  readonly exclude?: readonly string[] | undefined;
  readonly delete?: DeleteConfig | undefined;
  readonly nulls?: 'keep' | 'omit' | undefined;
  readonly missing?: 'leave' | 'fail' | undefined;
  readonly truncate?: 'empty' | 'ignore' | undefined;
  readonly options?: Readonly<Record<string, unknown>> | undefined;
}

export interface RuleConfig extends CommonConfig {
  readonly where?: string | undefined;
  readonly columns?: Readonly<Record<string, ColumnConfig>> | undefined;
  readonly include?: readonly string[] | undefined;
  readonly rename?: RenameConfig | undefined;
  readonly key?: readonly string[] | Readonly<Record<string, ColumnConfig>> | undefined;
  readonly merge?: 'any' | 'disjoint' | undefined;
  readonly into?: string | undefined;
  readonly elementKey?: readonly string[] | undefined;
}

export type DeleteConfig = 'delete' | 'ignore' | { readonly soft: Readonly<Record<string, ValueConfig>> };

/** A constant, or an expression. */
export type ValueConfig = Constant | { readonly expr: string };

export type Constant = string | number | boolean | null;

/** The name of a column of the source, or more. */
export type ColumnConfig = string | ColumnSpec;

export interface ColumnSpec {
  readonly from?: string | undefined;
  readonly value?: unknown;
  readonly expr?: string | undefined;
  readonly cast?: string | undefined;
  readonly truncate?: number | undefined;
  readonly mask?: MaskConfig | undefined;
  readonly hash?: HashConfig | undefined;
  readonly default?: Constant | undefined;
}

/** `all`, or how many characters stay at the beginning and the end. */
export type MaskConfig =
  | 'all'
  | { readonly start?: number | undefined; readonly end?: number | undefined; readonly with?: string | undefined };

export type HashConfig = 'sha256' | { readonly key: string };
