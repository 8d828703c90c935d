import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { translate } from '@/shared/i18n';
import { sentences } from '@/shared/i18n/zh-TW-sentences';

const read = (path: string) => readFileSync(join(import.meta.dirname, '../..', path), 'utf8');

/** From one text of a file up to another. */
function between(text: string, from: string, to: string): string {
  const start = text.indexOf(from);
  const end = text.indexOf(to, start);
  expect(start, from).toBeGreaterThan(-1);
  expect(end, to).toBeGreaterThan(start);
  return text.slice(start, end);
}

/** The string literals of C++, without their comments. */
function literals(text: string): string[] {
  const code = text.replaceAll(/\/\/.*$/gm, '');
  return [...code.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map((found) => found[1]!);
}

/** Translated, and nothing of the English left but the names in it. */
function expectChinese(sentence: string) {
  const words = translate(sentence, sentences);
  expect(words, sentence).toMatch(/[\u4e00-\u9fff]/);
  expect(words, sentence).not.toMatch(/\$\d|\b(?:slots? of|jobs?|GPUs|free|kept|before|group|its?|the|to|is)\b/);
}

describe('the server’s reasons', () => {
  it('are all known in Chinese: the scheduler’s', () => {
    const expected = literals(between(read('tests/unit/queue/explain_test.cpp'), 'TEST(WaitingFor', '\n}  // namespace'))
      .filter((text) => / before it$| free\b|, but | to succeed$|one at a time$|^paused$|^draining$/.test(text));
    expect(expected.length).toBeGreaterThan(25);
    for (const sentence of new Set(expected)) expectChinese(sentence);
    for (const sentence of [
      'job_20260101_000000__0123abcd and 1 other job to succeed',
      'retry at 2026-11-22 10:15:30',
      '1 slot of slurm.slots: 0 of 3 free',
      '3 slots, but slurm.slots is 2',
      '1 GPU, but the server has none configured',
      '2 slots of the default group, but its limit is 1',
      '2 slots of the default group: 3 of 3 free, 2 kept for job_2',
      'more than 100 GPU jobs before it',
      'more than 100 jobs of the default group before it',
      'more than 100 jobs of group a: b before it',
      '1 job of the default group before it',
    ]) {
      expectChinese(sentence);
    }
  });

  it('are all known in Chinese: Slurm’s', () => {
    const map = between(read('core/exec/slurm_words.cpp'), 'kWords = {', '};');
    const words = [...map.matchAll(/\{"\w+", "([^"]+)"\}/g)].map((found) => found[1]!);
    expect(words.length).toBeGreaterThan(8);
    for (const sentence of words) {
      const pattern = sentences.find(([known]) => known.test(sentence))?.[0].source;
      expect(pattern, sentence).not.toBe('^Slurm: (.+)$');
      expectChinese(sentence);
    }
    expect(translate('Slurm: ReqNodeNotAvail_x', sentences)).toBe('Slurm：ReqNodeNotAvail_x');
  });

  it('have not changed since these translations were written', () => {
    const source = read('core/queue/explain.cpp');
    const helpers = between(source, 'std::string counted(', 'std::optional<Scheduler::Excess> Scheduler::excess');
    const excess = between(source, 'Scheduler::excess(int slots', 'Result<> Scheduler::check');
    const reasons = between(source, 'std::string Scheduler::waiting_for', 'std::string Scheduler::group_of_singleton');
    // After a change here: change zh-TW-sentences.ts, then this list.
    const words = [helpers, excess, reasons].flatMap(literals).filter((text) => /[a-z]{2}/i.test(text) && !text.startsWith('/'));
    expect([...new Set(words)]).toEqual([
      'more than {} {}s{} before it', '{}{} before it', ' of the default group', ' of group {}',
      '{}: {} of {} free', ', {} kept for {}',
      '{}, but slurm.slots is {}', 'slot', '{}, but the server has {}', '{}{}, but its limit is {}', 'GPU', 'none configured',
      ' and {}', 'other job', ' to succeed', 'retry at ', 'paused', 'draining',
      'another {} job to end: they run one at a time', 'job', 'GPU job', ' of slurm.slots',
    ]);
  });

  it('and how a job ended without a log', () => {
    for (const [file, literal, sentence = literal] of [
      ['core/service/job_engine.cpp', 'cancelled before it started'],
      ['core/service/job_end.cpp', '{} did not succeed, and this job was to run after it', 'job_1 did not succeed, and this job was to run after it'],
      ['core/exec/attempt.cpp', 'the command was killed by {}', 'the command was killed by SIGKILL'],
      ['core/exec/attempt.cpp', 'the command ran longer than its timeout and was ended'],
      ['core/exec/attempt.cpp', 'the log grew above log_max_bytes ({}) and the command was ended', 'the log grew above log_max_bytes (100) and the command was ended'],
      ['core/exec/attempt.cpp', "the job's supervisor was told to stop, as at a shutdown of the machine"],
      ['core/exec/attempt.cpp', "the job's supervisor could not be started"],
      ['core/exec/local_executor.cpp', "the job's supervisor was killed, or the machine went down under it"],
      ['core/exec/slurm_executor.cpp', 'it was cancelled in Slurm before it began'],
      ['core/exec/slurm_words.cpp', 'it was cancelled in Slurm'],
      ['core/exec/slurm_words.cpp', 'Slurm ended the job at its time limit'],
    ] as const) {
      expect(read(file), literal).toContain(`"${literal}"`);
      expectChinese(sentence);
    }
    // The last line of a log is the job's own.
    expect(translate('[ERROR] no model for NONE', sentences)).toBe('[ERROR] no model for NONE');
  });

  it('stay as they are when they are not known', () => {
    expect(translate('a reason of tomorrow', sentences)).toBe('a reason of tomorrow');
  });
});
