import { describe, expect, it } from 'vitest';
import { mark, parseAnsi, plainText } from '@/shared/log/ansi';

const ESC = '\x1b';

describe('parseAnsi', () => {
  it('knows the sixteen colours, the cube, true colour, and their ends', () => {
    expect(parseAnsi(`a${ESC}[31mred${ESC}[0m b`)).toEqual([
      { text: 'a', style: {} },
      { text: 'red', style: { fg: 'var(--ansi-1)' } },
      { text: ' b', style: {} },
    ]);
    expect(parseAnsi(`${ESC}[38;5;196mx`)[0]?.style).toEqual({ fg: 'rgb(255, 0, 0)' });
    expect(parseAnsi(`${ESC}[48;2;1;2;300mx`)[0]?.style).toEqual({ bg: 'rgb(1, 2, 255)' });
    expect(parseAnsi(`${ESC}[1;4;97mx${ESC}[22my`).map((piece) => piece.style)).toEqual([
      { bold: true, underline: true, fg: 'var(--ansi-15)' },
      { underline: true, fg: 'var(--ansi-15)' },
    ]);
  });

  it('drops every other sequence: titles, links, cursors, strings', () => {
    const hostile = [
      `${ESC}]0;owned\x07`,
      `${ESC}]8;;http://evil.example\x07link${ESC}]8;;\x07`,
      `${ESC}[2J${ESC}[H`,
      `${ESC}[?1049h`,
      `${ESC}P+q544e${ESC}\\`,
      `${ESC}c`,
      '\x07\x08\x00',
    ].join('');
    expect(plainText(`a${hostile}b`)).toBe('alinkb');
    expect(parseAnsi(`a${hostile}b`).map((piece) => piece.text).join('')).toBe('alinkb');
  });

  it('does not let a line turn its direction', () => {
    expect(plainText('safe\u202etxt.exe')).toBe('safe\ufffdtxt.exe');
  });

  it('leaves markup what it is: text', () => {
    expect(plainText('<script>alert(1)</script>')).toBe('<script>alert(1)</script>');
  });
});

describe('mark', () => {
  it('cuts pieces at the ranges, across styles', () => {
    const pieces = parseAnsi(`ab${ESC}[32mcd${ESC}[0mef`);
    expect(mark(pieces, [[1, 3], [5, 6]]).map(({ text, marked }) => [text, marked])).toEqual([
      ['a', false],
      ['b', true],
      ['c', true],
      ['d', false],
      ['e', false],
      ['f', true],
    ]);
  });
});
