import { Alert } from '@mantine/core';
import { Validator } from '@cfworker/json-schema';
import { withTheme } from '@rjsf/core';
import { Theme } from '@rjsf/mantine';
import type { FieldErrorProps, ObjectFieldTemplateProps, RJSFSchema, ValidatorType } from '@rjsf/utils';
import { useId, useMemo } from 'react';
import type { FieldMistake, JobType, JsonObject } from '../api/types';
import { useI18n } from '../i18n';
import { mapMistakes } from './mistakes';
import { uiSchemaOf } from './ui_schema';
import { DescriptionTemplate, widgets } from './widgets';
import classes from './form.module.css';

const Form = withTheme(Theme);

/**
 * The form library asks for a validator. The usual one compiles schemas with `eval`, which this page may
 * not, and the server's word counts anyway: it validates, with the job type's own sentences. What is left
 * is to say which branch of a oneOf a value belongs to.
 */
const validator: ValidatorType = {
  validateFormData: () => ({ errors: [], errorSchema: {} }),
  rawValidation: () => ({ errors: [] }),
  isValid(schema, data, root) {
    try {
      const whole = { ...(root as object), ...(schema as object) };
      return new Validator(whole, '7', false).validate(data).valid;
    } catch {
      return false;
    }
  },
};

function ObjectTemplate(props: ObjectFieldTemplateProps) {
  const nested = props.fieldPathId.path.length > 0;
  const fields = props.properties.filter((each) => !each.hidden);
  const body = (
    <div className={classes.fields}>
      {fields.map((each) => (
        <div key={each.name}>{each.content}</div>
      ))}
    </div>
  );
  if (!nested) return body;
  return (
    <fieldset className={classes.group}>
      <legend>{props.title}</legend>
      {props.description}
      {body}
    </fieldset>
  );
}

/** Controls show their own mistakes; lists and groups have nobody to do it for them. */
function FieldErrors({ errors, schema, uiSchema }: FieldErrorProps) {
  const { type } = schema;
  const kind = Array.isArray(type) ? type.find((each) => each !== 'null') : type;
  if (!errors?.length || !['array', 'object', 'boolean'].includes(String(kind)) || uiSchema?.['ui:widget']) {
    return null;
  }
  return (
    <div className={`loss ${classes.errors}`} role="alert">
      {errors.map((error, index) => (
        <div key={index}>{error}</div>
      ))}
    </div>
  );
}

const templates = {
  ObjectFieldTemplate: ObjectTemplate,
  FieldErrorTemplate: FieldErrors,
  DescriptionFieldTemplate: DescriptionTemplate,
};

/** Between the steps of a control's id: what no name of an input has. */
const kSeparator = '::';

interface Props {
  type: JobType;
  value: JsonObject;
  onChange: (value: JsonObject) => void;
  mistakes: FieldMistake[];
  onTouched?: (field: string) => void;
  onSubmit?: () => void;
  disabled?: boolean;
}

/** The inputs of a job type, from its schema; mistakes at their fields. */
export default function SchemaForm(props: Props) {
  const { type, value, onChange, mistakes, onTouched, onSubmit, disabled } = props;
  const { t, language } = useI18n();
  // Several forms may be on a page, of which one is shown: a label must lead to its own form's control.
  const prefix = useId();
  const uiSchema = useMemo(
    () => ({
      ...uiSchemaOf(type, language),
      'ui:submitButtonOptions': { norender: true },
      'ui:options': { label: false },
    }),
    [type, language],
  );
  const mapped = useMemo(() => mapMistakes(mistakes, type.input_schema), [mistakes, type]);
  const context = useMemo(() => ({ mistakes }), [mistakes]);
  const schema = useMemo(() => {
    // The page has the title already.
    return { ...type.input_schema, title: undefined, description: undefined } as RJSFSchema;
  }, [type]);
  return (
    <>
      {mapped.rest.length > 0 && (
        <Alert color="red" mb="md" title={t('form.mistakes')} role="alert">
          {mapped.rest.map((text) => (
            <div key={text}>{text}</div>
          ))}
        </Alert>
      )}
      <Form
        schema={schema}
        uiSchema={uiSchema as never}
        formData={value}
        formContext={context}
        validator={validator}
        widgets={widgets}
        templates={templates}
        extraErrors={mapped.fields as never}
        noValidate
        noHtml5Validate
        showErrorList={false}
        disabled={disabled ?? false}
        idPrefix={prefix}
        idSeparator={kSeparator}
        onChange={(event) => onChange((event.formData ?? {}) as JsonObject)}
        onBlur={(id) => onTouched?.(id.split(kSeparator)[1] ?? '')}
        onSubmit={() => onSubmit?.()}
      >
        {/* Enter submits. */}
        <button type="submit" hidden aria-hidden tabIndex={-1} />
      </Form>
    </>
  );
}
