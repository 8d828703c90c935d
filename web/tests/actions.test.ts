import { describe, expect, it } from 'vitest';
import { fromAddress } from '@/features/actions/prefill';
import { countOf, matrixOf, splitValues } from '@/features/actions/sweep';
import type { JobType } from '@/shared/api/types';
import { actionHref, takers } from '@/shared/lib/actions';

const type: JobType = {
  type: 'backtest',
  slug: 'backtest',
  version: '1',
  title: 'Backtest',
  description: '',
  input_schema: {
    type: 'object',
    required: ['config_path'],
    properties: {
      config_path: { type: 'string' },
      tickers: { type: ['array', 'null'], items: { type: 'string' } },
      model_path: { type: ['string', 'null'] },
      overrides: { type: 'array', items: { type: 'string' } },
      steps: { type: 'integer' },
      dry_run: { type: 'boolean' },
    },
  },
  ui_schema: { overrides: { 'ui:widget': 'overrides' } },
  defaults: {},
  examples: [{ config_path: 'configs/backtest/base.yaml' }],
};

describe('a form’s address', () => {
  it('fills in by name, by singular, by repetition, by comma', () => {
    const search = new URLSearchParams(
      'type=backtest&ticker=TSM&tickers=GOOG,SPX&steps=20&dry_run=true&overrides=a.b=[1,2]&unknown=1',
    );
    expect(fromAddress(type, search)).toMatchObject({
      steps: 20,
      dry_run: true,
      overrides: ['a.b=[1,2]'],
      tickers: ['GOOG', 'SPX'],
    });
    expect(fromAddress(type, new URLSearchParams('ticker=TSM'))).toEqual({ tickers: ['TSM'] });
    expect(fromAddress(type, search)).not.toHaveProperty('unknown');
  });

  it('is made from what a job type says it takes', () => {
    expect(takers([type], 'model_path')).toEqual([type]);
    expect(takers([type], 'run_id')).toEqual([]);
    expect(actionHref(type, { tickers: 'TSM', model_path: 'runs/x/final.zip', start: null })).toBe(
      '/actions?type=backtest&config_path=configs%2Fbacktest%2Fbase.yaml&tickers=TSM&model_path=runs%2Fx%2Ffinal.zip',
    );
  });
});

describe('a sweep', () => {
  it('splits values at commas and lines, but not within brackets or quotes', () => {
    expect(splitValues('1, 2\n[3, 4], "a,b"')).toEqual(['1', '2', '[3, 4]', '"a,b"']);
  });

  it('combines inputs, and keys of overrides among themselves', () => {
    const matrix = matrixOf(type, { overrides: ['keep=1', 'seed=0'] }, [
      { field: 'steps', text: '10, 20, 30' },
      { field: 'tickers', text: 'TSM, GOOG' },
      { field: 'overrides', key: 'seed', text: '1, 2' },
      { field: 'overrides', key: 'lr', text: '0.1' },
    ]);
    expect(matrix).toEqual({
      steps: [10, 20, 30],
      tickers: [['TSM'], ['GOOG']],
      overrides: [
        ['keep=1', 'seed=1', 'lr=0.1'],
        ['keep=1', 'seed=2', 'lr=0.1'],
      ],
    });
    expect(countOf(matrix)).toBe(12);
  });
});
