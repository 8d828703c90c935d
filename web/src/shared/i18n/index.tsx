import { createContext, use, useCallback, useEffect, useMemo, useState } from 'react';
import type { ReactNode } from 'react';
import { setLocale } from '../lib/format';
import { en } from './en';

export type Language = 'en' | 'zh-TW';
export type MessageKey = keyof typeof en;
type Values = Record<string, string | number>;
export type Translate = (key: MessageKey, values?: Values) => string;

const kStored = 'runyard-language';

/** The browser's first language that we have; every kind of Chinese gets ours. */
export function preferredLanguage(): Language {
  const stored = localStorage.getItem(kStored);
  if (stored === 'en' || stored === 'zh-TW') return stored;
  for (const wanted of navigator.languages) {
    if (wanted.toLowerCase().startsWith('zh')) return 'zh-TW';
    if (wanted.toLowerCase().startsWith('en')) return 'en';
  }
  return 'en';
}

/** Sentences of the server, and how to say them: a pattern, and the words with its groups as `$1`. */
export type Sentences = [RegExp, string][];

/** What the server says in English, as far as it is known; the rest as it is. */
export function translate(sentence: string, known: Sentences): string {
  for (const [pattern, words] of known) {
    if (pattern.test(sentence)) return sentence.replace(pattern, words);
  }
  return sentence;
}

/** `{n}` is filled in; `one|many` is chosen by `n`. */
export function fill(message: string, values: Values = {}): string {
  const forms = message.split('|');
  const chosen = forms.length === 2 ? forms[values.n === 1 ? 0 : 1]! : message;
  return chosen.replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole));
}

export interface I18n {
  language: Language;
  setLanguage: (language: Language) => void;
  t: Translate;
  /** A sentence of the server's, in the reader's language. */
  said: (sentence: string) => string;
}

interface Messages {
  language: Language;
  texts: Record<MessageKey, string>;
  sentences: Sentences;
}

const kEnglish: Messages = { language: 'en', texts: en, sentences: [] };

const Context = createContext<I18n | null>(null);

export function I18nProvider({ children }: { children: ReactNode }) {
  const [language, choose] = useState<Language>(preferredLanguage);
  const [messages, setMessages] = useState<Messages>(kEnglish);

  useEffect(() => {
    let stale = false;
    const ready = (next: Omit<Messages, 'language'>) => {
      if (stale) return;
      setLocale(language);
      document.documentElement.lang = language === 'zh-TW' ? 'zh-Hant-TW' : 'en';
      setMessages({ ...next, language });
    };
    if (language === 'en') ready(kEnglish);
    else {
      void import('./zh-TW').then(
        ({ zhTW, zhTWSentences }) => ready({ texts: zhTW, sentences: zhTWSentences }),
        () => ready(kEnglish),
      );
    }
    return () => {
      stale = true;
    };
  }, [language]);

  const setLanguage = useCallback((next: Language) => {
    localStorage.setItem(kStored, next);
    choose(next);
  }, []);

  const value = useMemo<I18n>(
    () => ({
      language,
      setLanguage,
      t: (key, values) => fill(messages.texts[key] ?? en[key], values),
      said: (sentence) => translate(sentence, messages.sentences),
    }),
    [language, setLanguage, messages],
  );
  // Nothing is shown in the wrong language first.
  if (messages.language !== language) return null;
  return <Context value={value}>{children}</Context>;
}

export function useI18n(): I18n {
  const value = use(Context);
  if (!value) throw new Error('useI18n is used outside of I18nProvider');
  return value;
}

/** The words for a column of a file, as far as it is known; else its own name. */
export function columnName(t: Translate, kind: 'metric' | 'trade', name: string): string {
  const key = `${kind}.${name}`;
  return key in en ? t(key as MessageKey) : name;
}

export function useT(): Translate {
  return useI18n().t;
}
