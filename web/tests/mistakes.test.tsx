import { screen, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { describe, expect, it, vi } from 'vitest';
import type { JobType } from '@/shared/api/types';
import { mapMistakes, ofInputs, onlyTouched } from '@/shared/form/mistakes';
import SchemaForm from '@/shared/form/SchemaForm';
import { show } from './render';

const type: JobType = {
  type: 'demo',
  slug: 'demo',
  version: '1',
  title: 'Demo',
  description: '',
  input_schema: {
    type: 'object',
    required: ['config_path'],
    properties: {
      config_path: { type: 'string', title: 'Configuration' },
      tickers: { type: ['array', 'null'], title: 'Tickers', items: { type: 'string' } },
      overrides: { type: 'array', title: 'Overrides', items: { type: 'string' } },
      limits: { type: 'object', title: 'Limits', properties: { depth: { type: 'integer', title: 'Depth' } } },
      'odd/name~': { type: 'string', title: 'Odd' },
    },
  },
  ui_schema: { overrides: { 'ui:widget': 'overrides' } },
  defaults: {},
  examples: [],
};

describe('mapMistakes', () => {
  const map = (pointer: string, message = 'wrong') => mapMistakes([{ pointer, message }], type.input_schema);

  it('finds fields, nested ones too, by their JSON pointer', () => {
    expect(map('/config_path').fields).toEqual({ config_path: { __errors: ['wrong'] } });
    expect(map('/limits/depth').fields).toEqual({ limits: { depth: { __errors: ['wrong'] } } });
    expect(map('/odd~1name~0').fields).toEqual({ 'odd/name~': { __errors: ['wrong'] } });
  });

  it('says which item of a list of plain values is meant', () => {
    expect(map('/tickers/1').fields).toEqual({ tickers: { __errors: ['#2: wrong'] } });
  });

  it('keeps what belongs to no field', () => {
    expect(map('', 'all is wrong').rest).toEqual(['all is wrong']);
    expect(map('/nowhere/x').rest).toEqual(['nowhere.x: wrong']);
  });

  it('looks below `params` when the body has more than the inputs', () => {
    expect(ofInputs([{ pointer: '/params/config_path', message: 'a' }, { pointer: '/_job/slots', message: 'b' }])).toEqual([
      { pointer: '/config_path', message: 'a' },
      { pointer: '/_job/slots', message: 'b' },
    ]);
  });

  it('leaves alone what nobody has been at', () => {
    const mistakes = [
      { pointer: '/config_path', message: 'needed' },
      { pointer: '/tickers/0', message: 'bad' },
    ];
    expect(onlyTouched(mistakes, new Set(['tickers']))).toEqual([mistakes[1]]);
  });
});

describe('SchemaForm', () => {
  it('shows each of the server’s sentences at its field, and the rest on top', async () => {
    show(
      <SchemaForm
        type={type}
        value={{ tickers: ['a', 'b'], overrides: ['x=1', 'y'] }}
        onChange={() => undefined}
        mistakes={[
          { pointer: '/config_path', message: 'must be a YAML file' },
          { pointer: '/tickers/1', message: 'must be a ticker' },
          { pointer: '/overrides/1', message: 'must be key=value' },
          { pointer: '/gone', message: 'is not expected' },
        ]}
      />,
    );
    const field = await screen.findByLabelText(/Configuration/);
    expect(field.getAttribute('aria-invalid')).toBe('true');
    expect(screen.getByText('must be a YAML file')).toBeTruthy();
    expect(screen.getByText('#2: must be a ticker')).toBeTruthy();
    expect(screen.getByText(/Line 2: must be key=value/)).toBeTruthy();
    expect(screen.getByText('gone: is not expected')).toBeTruthy();
  });

  it('is found by its own labels when several forms are on a page', async () => {
    const first = vi.fn();
    const second = vi.fn();
    const touched = vi.fn();
    show(
      <>
        <section aria-label="first" hidden>
          <SchemaForm type={type} value={{}} onChange={first} mistakes={[]} />
        </section>
        <section aria-label="second">
          <SchemaForm
            type={type}
            value={{ overrides: ['y'] }}
            onChange={second}
            onTouched={touched}
            mistakes={[{ pointer: '/overrides/0', message: 'must be key=value' }]}
          />
        </section>
      </>,
    );
    const shown = await screen.findByRole('region', { name: 'second' });
    for (const label of shown.querySelectorAll('label')) {
      expect(shown.contains(label.control), label.textContent).toBe(true);
    }
    const depth = within(shown).getByLabelText('Depth');
    await userEvent.type(depth, '3');
    await userEvent.tab();
    expect(first).not.toHaveBeenCalled();
    expect(second).toHaveBeenCalled();
    expect(touched).toHaveBeenCalledWith('limits');
    expect(within(shown).getByText(/Line 1: must be key=value/)).toBeTruthy();
  });
});
