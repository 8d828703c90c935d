/**
 * The documents of the HTTP API, as the UI names them. They come from the API's own schemas; where those
 * say "any object", this file says what is looked at.
 */
import type { components } from './schema';

type Schemas = components['schemas'];

/** Without the "any other name" of an open object. */
type Known<T> = { [K in keyof T as string extends K ? never : K]: T[K] };

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
export type JsonObject = { [key: string]: Json };

export type JobStatus = Schemas['JobStatus'];

export const kStatuses: JobStatus[] = ['QUEUED', 'RUNNING', 'SUCCESS', 'FAILED', 'CANCELLED'];

export type Job = Omit<Schemas['Job'], 'params'> & { params: JsonObject };
export type JobLink = Schemas['Link'];
export type Attempt = Schemas['Attempt'];
export type JobOptions = Partial<Schemas['JobOptions']>;
export type FieldMistake = Schemas['FieldError'];
export type LogLines = Schemas['LogLines'];
export type LogMatches = Schemas['LogMatches'];
export type Plugin = Schemas['PluginInfo'];
export type Queue = Schemas['Queue'];
export type Session = Schemas['Session'];

/** What the list keeps of a job: the rest of a hundred thousand would only fill the memory. */
export type JobRow = Pick<
  Job,
  | 'job_id' | 'job_type' | 'status' | 'created_at' | 'started_at' | 'ended_at' | 'duration_sec' | 'name'
  | 'group' | 'dry_run' | 'number' | 'seq' | 'progress' | 'links' | 'error_message' | 'waiting_for'
  | 'cancel_requested'
>;

export interface WorkspacePath {
  kind: 'file' | 'dir';
  must_exist?: boolean;
  under?: string;
  base?: string;
}

/** The part of JSON Schema that the UI looks at itself; the form library reads the rest. */
export interface InputSchema {
  type?: string | string[];
  title?: string;
  description?: string;
  properties?: Record<string, InputSchema>;
  items?: InputSchema;
  enum?: Json[];
  default?: Json;
  pattern?: string;
  required?: string[];
  'x-workspace-path'?: WorkspacePath;
  [key: string]: unknown;
}

export type JobType = Pick<Schemas['JobType'], 'type' | 'slug' | 'version' | 'title' | 'description'> & {
  input_schema: InputSchema;
  ui_schema: JsonObject;
  defaults: Partial<Schemas['JobType']['defaults']>;
  examples: JsonObject[];
  series?: { name: string }[];
};

export interface Series {
  name: string;
  x_name: string;
  points: [number, number][];
}

/** With the columns that are known; a newer script's own stand beside them all the same. */
export type RegistryModel = Known<Schemas['Model']>;
export type BestModel = Schemas['BestModel'];
export type RunRow = Schemas['RunSummary'];
export type Metrics = Record<string, Json>;

export type Run = Omit<Schemas['Run'], 'config' | 'metrics' | 'manifest'> & {
  config: JsonObject | null;
  metrics: { overall?: Metrics; per_ticker?: Record<string, Metrics> } | null;
  manifest: JsonObject | null;
};

export type RelatedJob = Schemas['ArtifactJob'];
export type BacktestRow = Schemas['BacktestSummary'];
export type EquityPoint = Schemas['EquityPoint'];
export type Trade = Record<string, Json>;

export type Backtest = Omit<
  Schemas['Backtest'],
  'config' | 'metrics' | 'trades' | 'recent_trades' | 'strategy_summary'
> & {
  config: JsonObject | null;
  metrics: Metrics | null;
  recent_trades: Trade[];
  strategy_summary: JsonObject | null;
};
