import { screen } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { useState } from 'react';
import { describe, expect, it } from 'vitest';
import { OverridesEditor } from '@/shared/form/OverridesEditor';
import { entriesOf, parseOverrides } from '@/shared/form/overrides';
import { show } from './render';

describe('parseOverrides', () => {
  it('takes key=value lines, blanks around them, and comments', () => {
    const text = '# a comment\n\n label.horizon_days = 40 \ntrain.lr=3e-4 # faster\nname="a # b"\ncolor=#fff';
    expect(entriesOf(text)).toEqual(['label.horizon_days=40', 'train.lr=3e-4', 'name="a # b"', 'color=#fff']);
    expect(parseOverrides(text).map((line) => line.line)).toEqual([3, 4, 5, 6]);
  });

  it('keeps what a value may hold: equals signs, quotes, lists, text in any script', () => {
    expect(entriesOf('a.b=x=y\nt=["NVDA","TSM"]\nnote=it\'s 訓練 # why')).toEqual([
      'a.b=x=y',
      't=["NVDA","TSM"]',
      "note=it's 訓練",
    ]);
  });

  it('says what a value looks like', () => {
    const kinds = parseOverrides('a=1.5\nb=true\nc=[1]\nd={x: 1}\ne=text\nf=\ng=null').map((line) => line.kind);
    expect(kinds).toEqual(['number', 'boolean', 'list', 'map', 'text', 'empty', 'null']);
  });

  it('finds what cannot be right', () => {
    expect(parseOverrides('nothing\n1x=2\na=1\na=2').map((line) => line.problem)).toEqual([
      'noEquals',
      'badKey',
      null,
      'repeated',
    ]);
  });
});

function Harness({ initial = [] as string[] }) {
  const [entries, setEntries] = useState(initial);
  return (
    <>
      <OverridesEditor id="o" label="Overrides" value={entries} onChange={setEntries} entryErrors={new Map()} />
      <output>{JSON.stringify(entries)}</output>
      <button onClick={() => setEntries(['from.json=1'])}>elsewhere</button>
    </>
  );
}

describe('OverridesEditor', () => {
  it('keeps the writer’s text, and gives on the entries alone', async () => {
    show(<Harness initial={['a=1']} />);
    const box = screen.getByLabelText('Overrides') as HTMLTextAreaElement;
    await userEvent.type(box, '\n# try this{Enter}b.c=2 # maybe');
    expect(box.value).toBe('a=1\n# try this\nb.c=2 # maybe');
    expect(screen.getByRole('status').textContent).toBe('["a=1","b.c=2"]');
    expect(screen.getByRole('row', { name: /b\.c 2 number/ })).toBeTruthy();
  });

  it('follows a change from elsewhere', async () => {
    show(<Harness initial={['a=1']} />);
    await userEvent.click(screen.getByText('elsewhere'));
    expect((screen.getByLabelText('Overrides') as HTMLTextAreaElement).value).toBe('from.json=1');
  });

  it('shows what the server says at its line', () => {
    show(
      <OverridesEditor
        id="o"
        label="Overrides"
        value={['a=1', 'b=2']}
        onChange={() => undefined}
        entryErrors={new Map([[1, 'must be shorter']])}
      />,
    );
    expect(screen.getByRole('alert').textContent).toBe('Line 2: must be shorter');
  });
});
