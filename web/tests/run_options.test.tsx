import { screen } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { useState } from 'react';
import { describe, expect, it } from 'vitest';
import type { Job, JobOptions, JobType } from '@/shared/api/types';
import { ofOptions, withoutOptions } from '@/shared/form/mistakes';
import { changedOptions, optionsOf } from '@/shared/form/run_options';
import { RunOptions } from '@/shared/form/RunOptions';
import { show } from './render';

const type = {
  type: 'demo',
  slug: 'demo',
  version: '1',
  title: 'Demo',
  description: '',
  input_schema: {},
  ui_schema: {},
  defaults: { timeout_sec: 60, slots: 2, gpus: 0, memory_mb: 512, max_retries: 0 },
  examples: [],
} as JobType;

const job = {
  name: 'nightly',
  group: null,
  priority: 3,
  timeout_sec: 10,
  max_retries: 1,
  retry_lost: true,
  after: ['job_20260101_000000__00000000'],
  resources: { slots: 4, gpu_count: 1, memory_mb: 4096, gpus: [] },
} as unknown as Job;

describe('the options of a duplicate', () => {
  it('begin as the job’s own, without what it waited for', () => {
    expect(optionsOf(job)).toEqual({
      name: 'nightly', priority: 3, timeout_sec: 10, max_retries: 1, retry_lost: true, slots: 4, gpus: 1, memory_mb: 4096,
    });
  });

  it('are sent only where they changed', () => {
    const before = optionsOf(job);
    expect(changedOptions(type, before, before)).toEqual({});
    expect(changedOptions(type, before, { ...before, memory_mb: 8192, after: ['job_1'] })).toEqual({
      memory_mb: 8192,
      after: ['job_1'],
    });
  });

  it('go back to the job type’s own where they are emptied', () => {
    const { name, memory_mb, slots, retry_lost, ...rest } = optionsOf(job);
    expect([name, memory_mb, slots, retry_lost]).toEqual(['nightly', 4096, 4, true]);
    expect(changedOptions(type, optionsOf(job), rest)).toEqual({ name: '', memory_mb: 512, slots: 2, retry_lost: false });
  });
});

describe('RunOptions', () => {
  it('shows what the type does by itself, takes memory, and says the server’s mistakes', async () => {
    let last: JobOptions = {};
    function Form() {
      const [value, set] = useState<JobOptions>({});
      last = value;
      const mistakes = [
        { pointer: '/_job/gpus', message: 'the server has none' },
        { pointer: '/config_path', message: 'is needed' },
      ];
      expect(withoutOptions(mistakes)).toEqual([mistakes[1]]);
      return <RunOptions type={type} value={value} onChange={set} errors={ofOptions(mistakes)} />;
    }
    show(<Form />);
    const memory = await screen.findByLabelText(/^Memory/);
    expect(memory.getAttribute('placeholder')).toBe('512');
    await userEvent.type(memory, '2048');
    await userEvent.click(screen.getByLabelText(/^Retry when lost/));
    expect(last).toEqual({ memory_mb: 2048, retry_lost: true });
    await userEvent.click(screen.getByLabelText(/^Retry when lost/));
    await userEvent.clear(memory);
    expect(last).toEqual({});
    expect(screen.getByText('the server has none')).toBeTruthy();
  });
});
