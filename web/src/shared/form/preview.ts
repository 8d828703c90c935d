import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useDebouncedValue } from '@mantine/hooks';
import { api, ApiError } from '../api/client';
import type { FieldMistake, JobType, JsonObject } from '../api/types';
import { useT } from '../i18n';

export interface Preview {
  params: JsonObject | null;
  command: string[] | null;
  mistakes: FieldMistake[];
  /** The one sentence of a refusal. */
  detail: string | null;
  /** It is of what is in the form now. */
  fresh: boolean;
}

const kNothing = { params: null, command: null, mistakes: [], detail: null };

/** What the server makes of the inputs: the command, or what is wrong; nothing is started. */
export function usePreview(type: JobType, params: JsonObject): Preview {
  const t = useT();
  const [settled] = useDebouncedValue(params, 300);
  // An empty form is not worth a question.
  const missing = (type.input_schema.required ?? []).filter(
    (name) => params[name] === undefined || params[name] === null || params[name] === '',
  );
  const query = useQuery({
    queryKey: ['preview', type.type, type.version, settled],
    queryFn: async ({ signal }): Promise<Omit<Preview, 'fresh'>> => {
      try {
        const answer = await api<{ params: JsonObject; command: string[] }>(
          `/api/job-types/${type.slug}/preview`,
          { method: 'POST', body: { params: settled }, signal },
        );
        return { ...answer, mistakes: [], detail: null };
      } catch (error) {
        if (error instanceof ApiError && error.status === 422) {
          return { ...kNothing, mistakes: error.mistakes, detail: error.message };
        }
        throw error;
      }
    },
    enabled: missing.length === 0,
    placeholderData: keepPreviousData,
    staleTime: 10_000,
    gcTime: 30_000,
    retry: false,
  });
  if (missing.length) {
    return {
      ...kNothing,
      mistakes: missing.map((name) => ({ pointer: `/${name}`, message: t('form.required') })),
      fresh: true,
    };
  }
  return {
    ...(query.data ?? kNothing),
    fresh: settled === params && !query.isFetching && query.isSuccess,
  };
}
