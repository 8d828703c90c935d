import { Alert, Anchor, Button, Tabs, Text, Textarea } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { IconPlayerPlay, IconPuzzleOff, IconRotate } from '@tabler/icons-react';
import { lazy, Suspense, useCallback, useMemo, useState } from 'react';
import { Link, useSearchParams } from 'react-router';
import { ApiError, messageOf } from '@/shared/api/client';
import { useJobTypes, useSubmit, useSubmitBatch } from '@/shared/api/jobs';
import { useMay } from '@/shared/api/session';
import type { FieldMistake, Job, JobOptions, JobType, JsonObject } from '@/shared/api/types';
import { ErrorState, LoadingState, Notice } from '@/shared/components/Notice';
import { Page, Panel } from '@/shared/components/Page';
import { CommandPreview } from '@/shared/form/CommandPreview';
import { Fold } from '@/shared/form/Fold';
import { ofInputs, ofOptions, onlyTouched, withoutOptions } from '@/shared/form/mistakes';
import { usePreview } from '@/shared/form/preview';
import { RunOptions } from '@/shared/form/RunOptions';
import { descriptionOf, titleOf } from '@/shared/form/ui_schema';
import { useI18n, useT } from '@/shared/i18n';
import { formatNumber } from '@/shared/lib/format';
import { defaultsOf, fromAddress } from './prefill';
import { Sweep } from './Sweep';
import { countOf, kMostJobs, matrixOf } from './sweep';
import type { Axis } from './sweep';
import classes from './ActionsPage.module.css';

const SchemaForm = lazy(() => import('@/shared/form/SchemaForm'));

const kNoMistakes: FieldMistake[] = [];

function useToast() {
  const t = useT();
  return (jobs: Job[]) => {
    const [first] = jobs;
    if (!first) return;
    const batch = jobs.length > 1;
    notifications.show({
      color: 'teal',
      autoClose: 10_000,
      title: batch ? t('toast.batch', { n: jobs.length }) : t('toast.submitted'),
      message: (
        <Anchor
          component={Link}
          size="sm"
          className={batch ? undefined : 'mono'}
          to={batch ? (first.group ? `/jobs?group=${encodeURIComponent(first.group)}` : '/jobs') : `/jobs/${first.job_id}`}
        >
          {batch ? t('toast.batch.link') : first.job_id}
        </Anchor>
      ),
    });
  };
}

function JsonEditor({ value, onChange }: { value: JsonObject; onChange: (value: JsonObject) => void }) {
  const t = useT();
  const [text, setText] = useState(() => JSON.stringify(value, null, 2));
  const [problem, setProblem] = useState<string | null>(null);
  return (
    <Textarea
      aria-label={t('actions.json')}
      description={t('actions.json.hint')}
      autosize
      minRows={12}
      maxRows={32}
      spellCheck={false}
      classNames={{ input: classes.json! }}
      value={text}
      error={problem}
      onChange={(event) => {
        const next = event.currentTarget.value;
        setText(next);
        try {
          const parsed = JSON.parse(next) as unknown;
          if (parsed === null || typeof parsed !== 'object' || Array.isArray(parsed)) {
            setProblem(t('actions.json.object'));
            return;
          }
          setProblem(null);
          onChange(parsed as JsonObject);
        } catch (error) {
          setProblem(messageOf(error));
        }
      }}
    />
  );
}

/** One job type's form; what was typed stays while one looks at another tab. */
function JobForm({ type, initial }: { type: JobType; initial: JsonObject }) {
  const { t, language } = useI18n();
  const may = useMay('operator');
  const [params, setParams] = useState<JsonObject>(initial);
  const [options, setOptions] = useState<JobOptions>({});
  const [axes, setAxes] = useState<Axis[]>([]);
  const [mode, setMode] = useState<string>('form');
  const [touched, setTouched] = useState<ReadonlySet<string>>(() => new Set(Object.keys(initial)));
  const [tried, setTried] = useState(false);
  const [refused, setRefused] = useState<FieldMistake[]>(kNoMistakes);
  const submit = useSubmit();
  const batch = useSubmitBatch();
  const toast = useToast();

  const matrix = useMemo(() => matrixOf(type, params, axes), [type, params, axes]);
  const sweeping = Object.keys(matrix).length > 0;
  const count = sweeping ? countOf(matrix) : 1;
  // Of a sweep the first job is shown, as an example.
  const example = useMemo(
    () =>
      sweeping
        ? { ...params, ...Object.fromEntries(Object.entries(matrix).map(([key, values]) => [key, values[0]!])) }
        : params,
    [params, matrix, sweeping],
  );
  const preview = usePreview(type, example);

  const touch = useCallback(
    (field: string) => setTouched((old) => (old.has(field) ? old : new Set(old).add(field))),
    [],
  );
  const change = (next: JsonObject) => {
    for (const key of new Set([...Object.keys(next), ...Object.keys(params)])) {
      if (next[key] !== params[key]) touch(key);
    }
    setRefused(kNoMistakes);
    setParams(next);
  };

  // As soon as the preview has caught up it is its word; before that, what the submit was refused for.
  const found = refused.length ? refused : preview.mistakes;
  const optionErrors = ofOptions(refused);
  const fieldMistakes = withoutOptions(found);
  const mistakes = tried ? fieldMistakes : onlyTouched(fieldMistakes, touched);

  const done = (jobs: Job[]) => {
    setTried(false);
    setRefused(kNoMistakes);
    toast(jobs);
  };
  const failed = (error: unknown) => {
    if (error instanceof ApiError && error.mistakes.length) {
      setRefused(ofInputs(error.mistakes));
    }
  };
  const send = () => {
    setTried(true);
    if (!may || count > kMostJobs) return;
    if (sweeping) {
      batch.mutate({ type: type.type, params, matrix, options }, { onSuccess: done, onError: failed });
    } else {
      submit.mutate(
        { slug: type.slug, params, options },
        { onSuccess: (job) => done([job]), onError: failed },
      );
    }
  };
  const error = sweeping ? batch.error : submit.error;
  const pending = submit.isPending || batch.isPending;
  const shownError = error && !(error instanceof ApiError && error.mistakes.length > 0 && !sweeping) ? error : null;

  return (
    <div className={classes.columns}>
      <div className={classes.form}>
        <Text size="sm" c="dimmed" mb="md">
          {descriptionOf(type, language)}
        </Text>
        <Tabs value={mode} onChange={(next) => setMode(next ?? 'form')} variant="pills" mb="md" keepMounted={false} classNames={{ tab: classes.pill! }}>
          <Tabs.List mb="md">
            <Tabs.Tab value="form">{t('actions.form')}</Tabs.Tab>
            <Tabs.Tab value="json">{t('actions.json')}</Tabs.Tab>
          </Tabs.List>
          <Tabs.Panel value="form">
            <Suspense fallback={<LoadingState lines={6} height={34} />}>
              <SchemaForm
                type={type}
                value={params}
                onChange={change}
                mistakes={mistakes}
                onTouched={touch}
                onSubmit={send}
                disabled={!may}
              />
            </Suspense>
          </Tabs.Panel>
          <Tabs.Panel value="json">
            <JsonEditor value={params} onChange={change} />
            {fieldMistakes.length > 0 && (
              <Alert color="red" mt="sm" role="alert">
                {fieldMistakes.map((mistake) => (
                  <div key={mistake.pointer + mistake.message}>
                    <code>{mistake.pointer}</code> {mistake.message}
                  </div>
                ))}
              </Alert>
            )}
          </Tabs.Panel>
        </Tabs>
        <Fold title={t('sweep.title')} open={axes.length > 0}>
          <Sweep type={type} axes={axes} onChange={setAxes} />
        </Fold>
        <Fold title={t('options.title')} open={optionErrors.size > 0}>
          <RunOptions type={type} value={options} onChange={setOptions} errors={optionErrors} />
        </Fold>
      </div>
      <div className={classes.side}>
        <div className={classes.sticky}>
          <CommandPreview preview={preview} />
          {sweeping && (
            <Text size="sm" mt="sm" role="status" className="num">
              {count > kMostJobs
                ? t('sweep.tooMany', { n: formatNumber(count), max: formatNumber(kMostJobs) })
                : t('sweep.example', { n: count })}
            </Text>
          )}
          {shownError && (
            <Alert color="red" mt="sm" role="alert" title={t('actions.refused')}>
              {messageOf(shownError)}
            </Alert>
          )}
          <div className={classes.buttons}>
            <Button
              size="sm"
              leftSection={<IconPlayerPlay size={16} />}
              onClick={send}
              loading={pending}
              disabled={!may || count > kMostJobs}
            >
              {sweeping ? t('actions.submitN', { n: count }) : t('action.submit')}
            </Button>
            <Button
              size="sm"
              variant="default"
              leftSection={<IconRotate size={15} />}
              onClick={() => {
                setParams(defaultsOf(type.input_schema));
                setOptions({});
                setAxes([]);
                setTouched(new Set());
                setTried(false);
                setRefused(kNoMistakes);
                submit.reset();
                batch.reset();
              }}
            >
              {t('action.reset')}
            </Button>
          </div>
          {!may && (
            <Text size="xs" c="dimmed" mt="xs">
              {t('session.mayNot')}
            </Text>
          )}
        </div>
      </div>
    </div>
  );
}

export function Component() {
  const { t, language } = useI18n();
  const types = useJobTypes();
  const [search, setSearch] = useSearchParams();
  const wanted = search.get('type');
  const known = types.data ?? [];
  const current = known.find((type) => type.type === wanted || type.slug === wanted) ?? (wanted ? undefined : known[0]);
  // What was typed stays while one looks at another tab; an address that names inputs is a new form.
  const [opened, setOpened] = useState<Record<string, string>>({});
  const inputs = new URLSearchParams(search);
  inputs.delete('type');
  const address = inputs.toString();
  if (current && (opened[current.type] === undefined || (address && opened[current.type] !== address))) {
    setOpened({ ...opened, [current.type]: address });
  }
  return (
    <Page title={t('nav.actions')}>
      {types.isPending ? (
        <LoadingState lines={8} />
      ) : types.isError && !types.data ? (
        <ErrorState error={types.error} retry={() => void types.refetch()} />
      ) : known.length === 0 ? (
        <Notice
          icon={IconPuzzleOff}
          title={t('actions.none')}
          text={t('actions.none.text')}
          action={<Button component={Link} to="/admin">{t('nav.admin')}</Button>}
        />
      ) : (
        <Panel flush>
          <Tabs
            value={current?.type ?? null}
            onChange={(value) => value && setSearch({ type: value })}
          >
            <Tabs.List className={classes.types} aria-label={t('job.type')}>
              {known.map((type) => (
                <Tabs.Tab key={type.type} value={type.type}>
                  {titleOf(type, language)}
                </Tabs.Tab>
              ))}
            </Tabs.List>
            {known.map((type) => (
              <Tabs.Panel key={type.type} value={type.type} p="md">
                {opened[type.type] !== undefined && (
                  <JobForm
                    key={opened[type.type]}
                    type={type}
                    initial={{
                      ...defaultsOf(type.input_schema),
                      ...fromAddress(type, new URLSearchParams(opened[type.type])),
                    }}
                  />
                )}
              </Tabs.Panel>
            ))}
          </Tabs>
          {!current && (
            <Notice icon={IconPuzzleOff} title={t('actions.unknown', { type: wanted ?? '' })} text={t('actions.unknown.text')} />
          )}
        </Panel>
      )}
    </Page>
  );
}
