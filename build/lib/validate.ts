/**
 * Reads a JSON file that describes something and checks it against a schema of build/schema. What
 * is wrong becomes one sentence per place: the file, the field, what it is and what was wanted.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Ajv, type ErrorObject } from 'ajv';
import { BuildError, type BuildErrorCode } from './failure.ts';

const schemaDir = join(import.meta.dirname, '..', 'schema');
const SHOWN_MAX = 5;

/** Reads and checks `path`; `shownName` is what the sentences call the file. */
export async function readValidated<T>(
  path: string,
  options: { schema: string; shownName: string; code: BuildErrorCode },
): Promise<T> {
  const { schema, shownName, code } = options;
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    throw new BuildError(code, `Cannot read ${shownName}: no such file`, { cause });
  }
  const schemaText = await readFile(join(schemaDir, schema), 'utf8');
  const faults = checkJson(text, JSON.parse(schemaText) as object, shownName);
  if (faults.length > 0) throw new BuildError(code, faults.slice(0, SHOWN_MAX).join('\n'));
  return JSON.parse(text) as T;
}

/** Answers the sentences about what is wrong with a JSON text; none when it fits its schema. */
export function checkJson(text: string, schema: object, shownName: string): string[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return [`Cannot read ${shownName}: it is not JSON (${(error as Error).message})`];
  }
  const validate = new Ajv({ allErrors: true, verbose: true, strict: true }).compile(schema);
  if (validate(value)) return [];
  return (validate.errors ?? []).map((fault) => sentence(fault, shownName));
}

function sentence(fault: ErrorObject, shownName: string): string {
  const field = fault.instancePath.slice(1).replaceAll('/', '.') || 'the whole file';
  if (fault.keyword === 'required') {
    const name = String(fault.params['missingProperty']);
    const where = fault.instancePath ? `${field}.${name}` : name;
    return `Cannot use ${shownName}: ${where} is missing, wanted ${wanted(memberSchema(fault, name))}`;
  }
  if (fault.keyword === 'additionalProperties') {
    const name = String(fault.params['additionalProperty']);
    const where = fault.instancePath ? `${field}.${name}` : name;
    const known = Object.keys((fault.parentSchema?.['properties'] as object) ?? {});
    return `Cannot use ${shownName}: ${where} is unknown, wanted one of ${known.join(', ')}`;
  }
  const found = JSON.stringify(fault.data);
  return `Cannot use ${shownName}: ${field} is ${found}, wanted ${wanted(fault.parentSchema)}`;
}

function memberSchema(fault: ErrorObject, name: string): Record<string, unknown> | undefined {
  const members = fault.parentSchema?.['properties'] as
    | Record<string, Record<string, unknown>>
    | undefined;
  return members?.[name];
}

/** Says in words what a schema asks for. */
function wanted(schema: Record<string, unknown> | undefined): string {
  if (!schema) return 'a value';
  if (Array.isArray(schema['enum'])) {
    return schema['enum'].map((item) => JSON.stringify(item)).join(' or ');
  }
  if (schema['$ref'] === '#/definitions/fileName') return 'a file name';
  if (typeof schema['pattern'] === 'string') return `text like ${schema['pattern']}`;
  if (schema['type'] === 'integer') {
    const least = schema['minimum'] === undefined ? '' : ` of at least ${schema['minimum']}`;
    const step =
      schema['multipleOf'] === undefined ? '' : `, a multiple of ${schema['multipleOf']}`;
    return `a whole number${least}${step}`;
  }
  if (schema['type'] === 'array') {
    const { minItems, maxItems } = schema;
    if (minItems !== undefined && minItems === maxItems) return `a list of ${minItems}`;
    return minItems === undefined ? 'a list' : `a list of at least ${minItems}`;
  }
  if (schema['type'] === 'string') return 'text that is not empty';
  return `an ${String(schema['type'] ?? 'object')}`;
}
