import { Text, Textarea } from '@mantine/core';
import type { WidgetProps } from '@rjsf/utils';
import { useState } from 'react';
import type { FieldMistake } from '../api/types';
import { useT } from '../i18n';
import { entriesOf, parseOverrides } from './overrides';
import { steps } from './mistakes';
import classes from './form.module.css';

interface Props {
  id: string;
  label: string;
  description?: string | undefined;
  placeholder?: string | undefined;
  value: string[];
  onChange: (entries: string[]) => void;
  onBlur?: () => void;
  disabled?: boolean;
  required?: boolean;
  /** What the server says of the list. */
  errors?: string[];
  /** What the server says of an entry, by its place. */
  entryErrors?: Map<number, string>;
}

const same = (a: string[], b: string[]) => a.length === b.length && a.every((each, i) => each === b[i]);

/** Text with comments on the left of the wire, a list of `key=value` on the right. */
export function OverridesEditor(props: Props) {
  const { id, label, description, placeholder, value, onChange, onBlur, disabled, required } = props;
  const t = useT();
  const [text, setText] = useState(() => value.join('\n'));
  // Somebody else has changed the list (raw JSON, another job's inputs): the text follows. Otherwise the
  // text is the writer's, with comments and blank lines.
  if (!same(entriesOf(text), value)) setText(value.join('\n'));

  const lines = parseOverrides(text);
  const serverSays = props.entryErrors;
  return (
    <div>
      <Textarea
        id={id}
        label={label}
        description={description}
        placeholder={placeholder ?? 'key=value'}
        required={required ?? false}
        disabled={disabled ?? false}
        autosize
        minRows={3}
        maxRows={16}
        spellCheck={false}
        autoCapitalize="off"
        autoCorrect="off"
        classNames={{ input: classes.code! }}
        value={text}
        error={serverSays?.size || !props.errors?.length ? undefined : props.errors.join('\n')}
        onChange={(event) => {
          const next = event.currentTarget.value;
          setText(next);
          const entries = entriesOf(next);
          if (!same(entries, value)) onChange(entries);
        }}
        onBlur={onBlur}
      />
      {lines.length > 0 && (
        <table className={classes.parsed} aria-label={t('overrides.parsed')}>
          <tbody>
            {lines.map((line, index) => {
              const problem = serverSays?.get(index) ?? (line.problem && t(`overrides.${line.problem}`));
              return (
                <tr key={`${line.line}-${line.key}`} data-problem={problem ? true : undefined}>
                  <th scope="row" className="mono">
                    {line.key}
                  </th>
                  <td className="mono">{line.value || '""'}</td>
                  <td>
                    {problem ? (
                      <Text span size="xs" className="loss" role="alert">
                        {t('overrides.line', { n: line.line })} {problem}
                      </Text>
                    ) : (
                      <Text span size="xs" c="dimmed">
                        {t(`overrides.kind.${line.kind}`)}
                      </Text>
                    )}
                  </td>
                </tr>
              );
            })}
          </tbody>
        </table>
      )}
    </div>
  );
}

/** As a control of the form: `"ui:widget": "overrides"` on a list of texts. */
export function OverridesWidget(props: WidgetProps) {
  const { id, label, value, onChange, onBlur, schema, options, rawErrors, registry } = props;
  const { mistakes = [] } = (registry.formContext ?? {}) as { mistakes?: FieldMistake[] };
  const entryErrors = new Map<number, string>();
  const { idPrefix, idSeparator } = registry.globalFormOptions;
  for (const mistake of mistakes) {
    const path = steps(mistake.pointer);
    const index = path.pop();
    if (id === [idPrefix, ...path].join(idSeparator)) entryErrors.set(Number(index), mistake.message);
  }
  const items = (props.uiSchema?.items ?? {}) as Record<string, unknown>;
  return (
    <OverridesEditor
      id={id}
      label={label}
      description={String(options.description ?? schema.description ?? '')}
      placeholder={String(props.placeholder || (items['ui:placeholder'] ?? 'key=value'))}
      value={Array.isArray(value) ? (value as string[]) : []}
      onChange={onChange}
      onBlur={() => onBlur(id, value)}
      disabled={props.disabled === true || props.readonly === true}
      required={props.required ?? false}
      errors={rawErrors ?? []}
      entryErrors={entryErrors}
    />
  );
}
