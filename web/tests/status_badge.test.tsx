import { screen } from '@testing-library/react';
import { afterEach, describe, expect, it } from 'vitest';
import { waitsFor } from '@/shared/api/jobs';
import { StatusBadge } from '@/shared/components/StatusBadge';
import { show } from './render';

afterEach(() => localStorage.clear());

describe('what a job waits for', () => {
  it('is shown while it is queued here or in a cluster, and never after its end', () => {
    expect(waitsFor({ status: 'QUEUED', waiting_for: 'paused' })).toBe('paused');
    expect(waitsFor({ status: 'RUNNING', waiting_for: 'Slurm: it is held' })).toBe('Slurm: it is held');
    expect(waitsFor({ status: 'RUNNING', waiting_for: '' })).toBeNull();
    expect(waitsFor({ status: 'FAILED', waiting_for: 'paused' })).toBeNull();
  });

  it('stands still at its badge, in the reader’s language', async () => {
    localStorage.setItem('runyard-language', 'zh-TW');
    show(<StatusBadge status="RUNNING" waits="Slurm: it is held" />);
    const badge = await screen.findByTestId('status');
    expect(badge.textContent).toBe('執行中');
    expect(badge.title).toBe('Slurm：已被保留');
    expect(badge.hasAttribute('data-waits')).toBe(true);
  });
});
