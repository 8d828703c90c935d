import { Button } from '@mantine/core';
import { IconColumns } from '@tabler/icons-react';
import { useQueries } from '@tanstack/react-query';
import { Link, useSearchParams } from 'react-router';
import { api, url } from '@/shared/api/client';
import { useJobTypes } from '@/shared/api/jobs';
import type { RegistryModel } from '@/shared/api/types';
import { DiffTable } from '@/shared/components/DiffTable';
import { ErrorState, LoadingState, Notice } from '@/shared/components/Notice';
import { Page } from '@/shared/components/Page';
import { titleOf } from '@/shared/form/ui_schema';
import { useI18n } from '@/shared/i18n';
import { actionHref, takers } from '@/shared/lib/actions';
import { compare } from '@/shared/lib/diff';
import { shortId } from '@/shared/lib/format';
import { modelId, parseModelId } from './model_id';

export function Component() {
  const { t, language } = useI18n();
  const types = useJobTypes().data;
  const [search] = useSearchParams();
  const ids = (search.get('models') ?? '').split(',').filter(Boolean).slice(0, 4);
  const tickers = [...new Set(ids.map((id) => parseModelId(id).ticker))];
  const lists = useQueries({
    queries: tickers.map((ticker) => ({
      queryKey: ['registry', 'of', ticker],
      queryFn: () => api<RegistryModel[]>(url('/api/registry/models', { ticker, limit: 10_000 })),
    })),
  });
  const failed = lists.find((list) => list.isError);
  const pending = lists.some((list) => list.isPending);
  const all = lists.flatMap((list) => list.data ?? []);
  const models = ids.flatMap((id) => all.find((model) => modelId(model) === id) ?? []);
  return (
    <Page title={t('compare.models')} parent={{ to: '/registry', label: t('nav.registry') }}>
      {failed ? (
        <ErrorState error={failed.error} retry={() => void failed.refetch()} />
      ) : pending ? (
        <LoadingState />
      ) : models.length < 2 ? (
        <Notice
          icon={IconColumns}
          title={t('compare.choose')}
          text={t('compare.choose.text')}
          action={<Button component={Link} to="/registry">{t('nav.registry')}</Button>}
        />
      ) : (
        <DiffTable
          title={t('diff.title')}
          onlyDifferences={false}
          rows={compare(models)}
          heads={models.map((model) => (
            <span key={modelId(model)}>
              <Link to={`/runs/${model.run_id}`}>
                {model.ticker} · {shortId(model.run_id ?? '–')}
              </Link>
              {model.model_final_path &&
                takers(types, 'model_path').map((type) => (
                  <Button
                    key={type.type}
                    ml={8}
                    size="compact-xs"
                    variant="light"
                    component={Link}
                    to={actionHref(type, {
                      tickers: model.ticker === 'ALL' ? null : model.ticker,
                      model_path: model.model_final_path,
                    })}
                  >
                    {titleOf(type, language)}
                  </Button>
                ))}
            </span>
          ))}
        />
      )}
    </Page>
  );
}
