// node check.mjs DOCUMENT.json [ANSWERS.json]
//
// Says whether the document is valid OpenAPI 3.1, and whether answers of the server are what it says:
// ANSWERS is [{operation, status, content_type, body}] with `operation` such as "GET /api/jobs/{id}",
// or null for an address that the document does not have, where only errors may come from.
// The schemas are closed for this: a field that the document does not name is an error. Exit code 1,
// and a line for each mistake, when something is wrong.
import fs from 'node:fs';
import {Validator} from '@seriousme/openapi-schema-validator';
import Ajv2020 from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';

const document = JSON.parse(fs.readFileSync(process.argv[2], 'utf8'));
const mistakes = [];

const result = await new Validator({strict: false}).validate(structuredClone(document));
if (!result.valid) mistakes.push('the document: ' + JSON.stringify(result.errors, null, 1));

// A schema that names its fields has no others; one that names none, or says what others are like,
// stays as it is.
function close(schema) {
  if (Array.isArray(schema)) return schema.forEach(close);
  if (schema === null || typeof schema !== 'object') return;
  Object.values(schema).forEach(close);
  if (schema.properties && schema.additionalProperties === undefined) {
    schema.unevaluatedProperties ??= false;
  }
}
const components = structuredClone(document.components.schemas);
for (const [name, schema] of Object.entries(components)) {
  if (!/^(Inputs|Submit)\./.test(name)) close(schema);
}
// `pattern` is RE2's in a job type's schema; nothing that an answer is compared with has such a one.
const ajv = new Ajv2020({strict: false, allErrors: true, validateFormats: true});
addFormats(ajv);
ajv.addSchema({$id: 'api', components: {schemas: components}});

const checks = new Map();
function check(answer) {
  const [method, path] = (answer.operation ?? 'ANY elsewhere').split(' ');
  const responses = document.paths[path]?.[method.toLowerCase()].responses ??
    {default: document.components.responses.default};
  const response = responses[answer.status] ?? (answer.status >= 400 ? responses.default : {});
  const resolved = response.$ref
    ? document.components.responses[response.$ref.split('/').at(-1)] : response;
  const where = `${answer.operation} ${answer.status}`;
  if (answer.status === 204) return answer.body === '' ? '' : `${where}: has a body`;
  const media = resolved.content?.[answer.content_type];
  if (!media) return `${where}: ${answer.content_type} is not documented`;
  if (!/json/.test(answer.content_type)) return '';
  const schema = JSON.stringify(media.schema).replaceAll('"#/', '"api#/');
  if (!checks.has(schema)) checks.set(schema, ajv.compile(JSON.parse(schema)));
  const validate = checks.get(schema);
  if (validate(JSON.parse(answer.body))) return '';
  return `${where}: ${ajv.errorsText(validate.errors, {separator: '\n  '})}` +
    ` ${JSON.stringify(validate.errors.map((e) => e.params))}\n  ${answer.body.slice(0, 2000)}`;
}

if (process.argv[3]) {
  for (const answer of JSON.parse(fs.readFileSync(process.argv[3], 'utf8'))) {
    const mistake = check(answer);
    if (mistake) mistakes.push(mistake);
  }
}
for (const mistake of mistakes) console.error(mistake);
process.exit(mistakes.length ? 1 : 0);
