import type { FieldMistake } from './types';

/** What a call failed with: the server's own sentence, or that there was no server. */
export class ApiError extends Error {
  constructor(
    /** HTTP status; 0 when no answer came. */
    readonly status: number,
    detail: string,
    readonly mistakes: FieldMistake[] = [],
    readonly title = '',
  ) {
    super(detail);
    this.name = 'ApiError';
  }

  get unreachable(): boolean {
    return this.status === 0 || this.status === 502 || this.status === 504;
  }
}

interface Options {
  method?: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  body?: unknown;
  signal?: AbortSignal;
  headers?: Record<string, string>;
}

/** Called when the server asks for a sign-in that this page has not, or no longer. */
let onSignedOut: () => void = () => undefined;

export function whenSignedOut(handler: () => void): void {
  onSignedOut = handler;
}

async function failure(response: Response): Promise<ApiError> {
  const text = await response.text().catch(() => '');
  try {
    const problem = JSON.parse(text) as {
      title?: string;
      detail?: string;
      errors?: FieldMistake[];
    };
    return new ApiError(
      response.status,
      problem.detail ?? problem.title ?? response.statusText,
      problem.errors ?? [],
      problem.title,
    );
  } catch {
    return new ApiError(response.status, text.slice(0, 300) || response.statusText);
  }
}

/** One call; throws ApiError (or the abort of `signal`). */
export async function request(path: string, options: Options = {}): Promise<Response> {
  const { method = 'GET', body, signal, headers } = options;
  let response: Response;
  try {
    response = await fetch(path, {
      method,
      credentials: 'same-origin',
      headers: {
        ...(method === 'GET' ? {} : { 'Content-Type': 'application/json' }),
        ...headers,
      },
      ...(method === 'GET' ? {} : { body: JSON.stringify(body ?? {}) }),
      ...(signal ? { signal } : {}),
    });
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error;
    throw new ApiError(0, 'The server does not answer.');
  }
  if (response.ok) return response;
  const error = await failure(response);
  if (response.status === 401 && !path.startsWith('/api/session')) onSignedOut();
  throw error;
}

export async function api<T>(path: string, options: Options = {}): Promise<T> {
  const response = await request(path, options);
  if (response.status === 204) return undefined as T;
  return (await response.json()) as T;
}

/** An address with its query; empty and undefined values are left out. */
export function url(
  path: string,
  query: Record<string, string | number | boolean | null | undefined> = {},
): string {
  const parts = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) {
    if (value !== undefined && value !== null && value !== '') parts.set(key, String(value));
  }
  // The server leaves '+' as it is in a query.
  const text = parts.toString().replaceAll('+', '%20');
  return text ? `${path}?${text}` : path;
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
