import { fireEvent, screen, waitFor } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { useState } from 'react';
import { describe, expect, it, vi } from 'vitest';
import { AddressInput } from '@/shared/components/AddressInput';
import { show } from './render';

function Fields({ seen }: { seen: (name: string, value: string) => void }) {
  const [values, setValues] = useState({ first: '', second: '' });
  const set = (name: 'first' | 'second') => (value: string) => {
    seen(name, value);
    setValues((old) => ({ ...old, [name]: value }));
  };
  return (
    <>
      <AddressInput label="First" value={values.first} onChange={set('first')} />
      <AddressInput label="Second" value={values.second} onChange={set('second')} />
      <button type="button" onClick={() => setValues({ first: '', second: '' })}>
        nothing
      </button>
    </>
  );
}

describe('a field that lives in the address', () => {
  it('loses nothing that is typed into another one at once, and is emptied with the address', async () => {
    const seen = vi.fn();
    show(<Fields seen={seen} />);
    fireEvent.change(screen.getByLabelText('First'), { target: { value: 'a ' } });
    fireEvent.change(screen.getByLabelText('Second'), { target: { value: 'b' } });
    await waitFor(() => expect(seen.mock.calls).toEqual([['first', 'a'], ['second', 'b']]));
    // The address has no blank at the end; what is being typed has.
    expect(screen.getByLabelText<HTMLInputElement>('First').value).toBe('a ');
    await userEvent.click(screen.getByText('nothing'));
    expect(screen.getByLabelText<HTMLInputElement>('First').value).toBe('');
    expect(screen.getByLabelText<HTMLInputElement>('Second').value).toBe('');
  });
});
