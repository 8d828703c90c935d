/**
 * Writes src/shared/api/schema.d.ts from the schemas of which the server makes /api/openapi.json, so
 * that the UI does not compile when it reads what the API does not say. Runs before each build and check.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import openapiTS, { astToString } from 'openapi-typescript';

const source = new URL('../../api/schemas/', import.meta.url);
const target = new URL('../src/shared/api/schema.d.ts', import.meta.url);

const schemas = {};
for (const name of readdirSync(source).filter((each) => each.endsWith('.json')).sort()) {
  Object.assign(schemas, JSON.parse(readFileSync(new URL(name, source), 'utf8')).schemas);
}
const document = { openapi: '3.1.0', info: { title: '', version: '' }, paths: {}, components: { schemas } };
const text = `// Made by tools/api_types.mjs from api/schemas; not kept in git.\n\n${astToString(await openapiTS(document))}`;
if (!existsSync(target) || readFileSync(target, 'utf8') !== text) writeFileSync(target, text);
