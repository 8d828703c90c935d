/* A plugin in plain C, with nothing but the header of the ABI. */
#include <runyard/plugin.h>
#include <string.h>

static const char kDescriptor[] =
    "{\"type\": \"plain_c\", \"version\": \"1.0.0\", \"title\": \"Plain C\","
    " \"program\": {\"python_module\": \"scripts.plain\"},"
    " \"input_schema\": {\"type\": \"object\"}, \"examples\": [{}], \"flags\": [\"--plain\"]}";

static int32_t describe(runyard_emit_fn emit, void* context) {
  emit(context, kDescriptor, strlen(kDescriptor));
  return RUNYARD_OK;
}

static int32_t argv(const char* params, size_t size, runyard_emit_fn emit, void* context) {
  static const char kArguments[] = "[\"--plain\"]";
  (void)params;
  (void)size;
  emit(context, kArguments, strlen(kArguments));
  return RUNYARD_OK;
}

RUNYARD_EXPORT const runyard_plugin_v1* runyard_plugin_v1_get(void) {
  static const runyard_plugin_v1 table = {sizeof table, describe, argv};
  return &table;
}
