import { Autocomplete, Checkbox, NumberInput, TagsInput, Text, Textarea, TextInput } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import type { DescriptionFieldProps, WidgetProps } from '@rjsf/utils';
import { useQuery, keepPreviousData } from '@tanstack/react-query';
import { useMemo } from 'react';
import { api, url } from '../api/client';
import type { InputSchema, WorkspacePath } from '../api/types';
import { useT } from '../i18n';
import { OverridesWidget } from './OverridesEditor';

const kShown = 50;

const errorOf = (props: WidgetProps) => (props.rawErrors?.length ? props.rawErrors.join('\n') : undefined);

const shared = (props: WidgetProps) => ({
  id: props.id,
  label: props.hideLabel ? undefined : props.label,
  description: String(props.options.description ?? props.schema.description ?? '') || undefined,
  placeholder: props.placeholder || undefined,
  required: props.required ?? false,
  disabled: props.disabled === true || props.readonly === true,
  error: errorOf(props),
});

function usePaths(where: WorkspacePath) {
  const under = where.base ?? where.under ?? '';
  return useQuery({
    queryKey: ['files', under, where.kind],
    queryFn: ({ signal }) =>
      api<{ path: string }[]>(url('/api/files', { under, kind: where.kind, limit: 2000 }), { signal }),
    staleTime: 15_000,
    placeholderData: keepPreviousData,
    retry: false,
  });
}

/** A file or folder of the workspace: typed, or chosen from what is there. */
function PathWidget(props: WidgetProps) {
  const t = useT();
  const schema = props.schema as InputSchema;
  const where = schema['x-workspace-path'] ?? { kind: 'file' };
  const files = usePaths(where);
  const [text] = useDebouncedValue(String(props.value ?? ''), 80);
  const data = useMemo(() => {
    const prefix = where.base ? `${where.base}/` : '';
    let pattern: RegExp | null = null;
    try {
      pattern = schema.pattern ? new RegExp(schema.pattern, 'u') : null;
    } catch {
      // RE2 knows what this browser does not: nothing is left out then.
    }
    return (files.data ?? [])
      .map(({ path }) => (prefix && path.startsWith(prefix) ? path.slice(prefix.length) : path))
      .filter((path) => (!prefix || !path.includes('/')) && (pattern === null || pattern.test(path)));
  }, [files.data, where.base, schema.pattern]);
  // What is chosen already shows the others again, so that choosing another is one click.
  const chosen = data.includes(text);
  const needle = text.toLowerCase();
  const shown = (chosen ? data : data.filter((path) => path.toLowerCase().includes(needle))).slice(0, kShown);
  return (
    <Autocomplete
      {...shared(props)}
      data={shown}
      filter={({ options }) => options}
      value={String(props.value ?? '')}
      onChange={(value) => props.onChange(value === '' ? props.options.emptyValue : value)}
      onBlur={() => props.onBlur(props.id, props.value)}
      maxDropdownHeight={280}
      comboboxProps={{ shadow: 'md' }}
      spellCheck={false}
      clearable
      clearButtonProps={{ 'aria-label': t('action.clear') }}
    />
  );
}

/** A list of plain values: typed and ended by Enter or a comma, pasted as a whole. */
function TagsWidget(props: WidgetProps) {
  const t = useT();
  const numeric = ['number', 'integer'].includes(String((props.schema.items as InputSchema)?.type));
  const value = Array.isArray(props.value) ? props.value.map(String) : [];
  return (
    <TagsInput
      {...shared(props)}
      placeholder={value.length ? undefined : props.placeholder || t('form.tags')}
      value={value}
      splitChars={[',', ' ', '\n', ';']}
      acceptValueOnBlur
      clearable
      clearButtonProps={{ 'aria-label': t('action.clear') }}
      onChange={(next) =>
        props.onChange(numeric ? next.map((each) => (Number.isNaN(Number(each)) ? each : Number(each))) : next)
      }
      onBlur={() => props.onBlur(props.id, props.value)}
    />
  );
}

/** The browser's own: it knows the reader's calendar, and the value is YYYY-MM-DD on the wire. */
function DateWidget(props: WidgetProps) {
  return (
    <TextInput
      {...shared(props)}
      type="date"
      styles={{ input: { maxWidth: 200 } }}
      value={String(props.value ?? '')}
      onChange={(event) => props.onChange(event.currentTarget.value || props.options.emptyValue)}
      onBlur={() => props.onBlur(props.id, props.value)}
    />
  );
}

function UpDownWidget(props: WidgetProps) {
  const { minimum, maximum, multipleOf } = props.schema;
  return (
    <NumberInput
      {...shared(props)}
      styles={{ input: { maxWidth: 240 } }}
      value={(props.value as number | undefined) ?? ''}
      min={minimum}
      max={maximum}
      step={multipleOf ?? 1}
      allowDecimal={props.schema.type !== 'integer'}
      clampBehavior="none"
      onChange={(value) => props.onChange(value === '' ? props.options.emptyValue : value)}
      onBlur={() => props.onBlur(props.id, props.value)}
    />
  );
}

function TextareaWidget(props: WidgetProps) {
  return (
    <Textarea
      {...shared(props)}
      autosize
      minRows={3}
      maxRows={16}
      value={String(props.value ?? '')}
      onChange={(event) => props.onChange(event.currentTarget.value || props.options.emptyValue)}
      onBlur={() => props.onBlur(props.id, props.value)}
    />
  );
}

function CheckboxWidget(props: WidgetProps) {
  const { label, description, disabled, error, id } = shared(props);
  return (
    <Checkbox
      id={id}
      size="sm"
      label={label}
      description={description}
      disabled={disabled}
      error={error}
      checked={props.value === true}
      onChange={(event) => props.onChange(event.currentTarget.checked)}
      onBlur={() => props.onBlur(props.id, props.value)}
    />
  );
}

/** The checkbox says it itself. */
export function DescriptionTemplate(props: DescriptionFieldProps) {
  if (props.schema.type === 'boolean') return null;
  return (
    <Text size="xs" c="dimmed" id={props.id} mb={6}>
      {props.description}
    </Text>
  );
}

export const widgets = {
  TextareaWidget,
  CheckboxWidget,
  overrides: OverridesWidget,
  workspacePath: PathWidget,
  tags: TagsWidget,
  DateWidget,
  UpDownWidget,
};
