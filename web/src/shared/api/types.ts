/** The documents of the HTTP API, as the UI reads them. */

export type JobStatus = 'QUEUED' | 'RUNNING' | 'SUCCESS' | 'FAILED' | 'CANCELLED';

export const kStatuses: JobStatus[] = ['QUEUED', 'RUNNING', 'SUCCESS', 'FAILED', 'CANCELLED'];

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
export type JsonObject = { [key: string]: Json };

export interface JobLink {
  name: string;
  value: string;
  href: string | null;
}

export interface JobProgress {
  current: number;
  total: number | null;
  fraction: number | null;
  eta_sec: number | null;
}

export interface Attempt {
  attempt: number;
  started_at: string | null;
  ended_at: string | null;
  exit_code: number | null;
  signal: number | null;
  end_reason: string | null;
  log_start: number | null;
  log_end: number | null;
}

/** What the list keeps of a job: the rest of a hundred thousand would only fill the memory. */
export interface JobRow {
  job_id: string;
  job_type: string;
  status: JobStatus;
  created_at: string;
  started_at: string | null;
  ended_at: string | null;
  duration_sec: number | null;
  name: string;
  group: string;
  dry_run: boolean;
  number: number;
  seq: number;
  progress: JobProgress | null;
  links: JobLink[];
  error_message: string | null;
  waiting_for: string | null;
  cancel_requested: boolean;
}

export interface Job extends JobRow {
  command: string[];
  cwd: string;
  params: JsonObject;
  artifacts_hint: Record<string, string> | null;
  warnings: string[];
  log_path: string;
  meta_path: string;
  log_size: number | null;
  exit_code: number | null;
  signal: number | null;
  end_reason: string | null;
  attempt: number;
  attempts: Attempt[];
  priority: number;
  timeout_sec: number;
  max_retries: number;
  retry_lost: boolean;
  after: string[];
  resources: { slots: number; gpu_count: number; gpus: string[] };
  usage: { user_sec: number; system_sec: number; max_rss_kb: number } | null;
  not_before: string | null;
  rerun_of: string | null;
  tags: string[];
  note: string;
  git: { commit: string; dirty: boolean } | null;
  executor: string;
  instance: string;
  plugin_version: string;
}

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

export interface JobType {
  type: string;
  slug: string;
  version: string;
  title: string;
  description: string;
  input_schema: InputSchema;
  ui_schema: JsonObject;
  defaults: { timeout_sec?: number; slots?: number; gpus?: number; max_retries?: number };
  examples: JsonObject[];
  series?: { name: string }[];
  hints?: { name: string; link?: string; param?: string }[];
}

export interface FieldMistake {
  pointer: string;
  message: string;
}

export interface Series {
  name: string;
  x_name: string;
  points: [number, number][];
}

export interface LogLines {
  job_id: string;
  start: number;
  lines: string[];
  total: number;
  size: number;
  next: number;
  cut: number[];
}

export interface LogMatches {
  job_id: string;
  matches: { line: number; text: string }[];
  next: number | null;
  total: number;
}

export interface Plugin {
  path: string;
  sha256: string;
  type: string | null;
  version: string | null;
  abi: number | string | null;
  state: 'loaded' | 'superseded' | 'quarantined' | 'removed';
  reason: string | null;
  loaded_at: string | null;
  program: Json;
  jobs_run: number;
}

export interface Queue {
  mode: 'open' | 'paused' | 'draining';
  slots: { total: number; used: number };
  gpus: { id: string; jobs: number; limit: number }[];
  groups: { name: string; slots: number; used: number; jobs: number }[];
  running: { job_id: string; group: string; slots: number; gpus: string[] }[];
  waiting: { job_id: string; group: string; waiting_for: string | null }[];
  queued: number;
}

export interface Session {
  auth_required: boolean;
  authenticated: boolean;
  role: 'viewer' | 'operator' | 'admin' | null;
  name: string | null;
}

export interface RegistryModel {
  run_id: string;
  mode: string;
  ticker: string;
  label_horizon_days: number | null;
  label_threshold: number | null;
  precision: number | null;
  recall: number | null;
  f1: number | null;
  accuracy: number | null;
  buy_rate: number | null;
  positive_rate: number | null;
  lift: number | null;
  tp: number | null;
  fp: number | null;
  tn: number | null;
  fn: number | null;
  support: number | null;
  model_final_path: string | null;
  config_path: string | null;
  metrics_path: string | null;
  manifest_path: string | null;
  git_commit: string | null;
  start_time: string | null;
  end_time: string | null;
  status: string | null;
}

export interface BestModel {
  ticker: string;
  run_id: string;
  model_path: string | null;
  model_type: string | null;
  precision: number | null;
  lift: number | null;
  buy_rate: number | null;
  label_horizon_days: number | null;
  label_threshold: number | null;
  positive_rate: number | null;
  tp: number | null;
  fp: number | null;
  tn: number | null;
  fn: number | null;
  support: number | null;
  best_status: string | null;
}

export interface RunRow {
  run_id: string;
  tickers: string[];
  start_time: string | null;
  end_time: string | null;
  status: string | null;
  manifest_path: string | null;
}

export type Metrics = Record<string, Json>;

export interface Run {
  run_id: string;
  config: Json;
  metrics: { overall?: Metrics; per_ticker?: Record<string, Metrics>; [key: string]: unknown } | null;
  manifest: JsonObject | null;
  models: { base: string[]; finetuned: Record<string, string[]> };
  checkpoints_count: number;
  checkpoints_sample: string[];
  jobs: RelatedJob[];
  warnings?: string[];
}

export interface RelatedJob {
  job_id: string;
  job_type: string;
  status: JobStatus;
  created_at?: string;
  relation?: string;
}

export interface BacktestRow {
  bt_run_id: string;
  ticker: string | null;
  model_path: string | null;
  start_date: string | null;
  end_date: string | null;
  total_return: number | null;
  cagr: number | null;
  max_drawdown: number | null;
  win_rate: number | null;
  trade_count: number | null;
  timestamp: string | null;
}

export interface EquityPoint {
  date: string;
  portfolio_value: number | null;
  benchmark_value: number | null;
  injected_cash: number | null;
}

export type Trade = Record<string, Json>;

export interface RecentTrade {
  entry_date: string | null;
  exit_date: string | null;
  pnl_pct: number | null;
  exit_reason: string | null;
  holding_days: number | null;
}

export interface Backtest {
  bt_run_id: string;
  ticker: string | null;
  config: Json;
  metrics: Metrics | null;
  summary_text: string | null;
  end_date_summary_text: string | null;
  trades: Trade[];
  equity_curve: EquityPoint[];
  plot_path: string | null;
  strategy_summary: JsonObject | null;
  recent_trades: RecentTrade[];
  mdd_window: {
    mdd_peak_date: string | null;
    mdd_trough_date: string | null;
    mdd_recovery_date: string | null;
  } | null;
  jobs?: RelatedJob[];
  warnings?: string[];
}

/** `_job`: how a job is run, beside what it is run with. */
export interface JobOptions {
  priority?: number;
  timeout_sec?: number;
  max_retries?: number;
  retry_lost?: boolean;
  slots?: number;
  gpus?: number;
  group?: string;
  after?: string[];
  name?: string;
}
