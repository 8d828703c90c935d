/*
 * The C ABI between Runyard and a plugin. A plugin is a shared library that exports one function,
 * runyard_plugin_v1_get. C++ authors use <runyard/plugin.hpp>, which does all of this for them.
 *
 * Rules (docs/plugin-guide.md has the reasons):
 *  - The number in the exported name is the ABI's major. Within a major, the table only grows at
 * its end; `size` says how much of it a plugin has.
 *  - Only UTF-8 text crosses, given by pointer and length; it need not end in NUL. It belongs to
 * who made it and is valid during the call. A result is handed over by `emit`, which copies it.
 *  - No function may throw, exit, or keep `emit` or `context` after it has returned. Calls come one
 *    at a time, not always from the same thread.
 *  - A plugin plans, it never runs anything: no file, no network, no process, no clock. The same
 *    inputs give the same arguments.
 */
#ifndef RUNYARD_PLUGIN_H
#define RUNYARD_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define RUNYARD_ABI_MAJOR 1

/* What a call answers. All that a call emits, joined, is one text: */
#define RUNYARD_OK 0 /* the result, JSON */
#define RUNYARD_INVALID \
  1 /* the inputs are wrong together: [{"pointer": "/end", "message": "..."}] */
#define RUNYARD_FAILED 2 /* the plugin cannot go on: one sentence, plain text */

/* Takes `size` bytes at `data`. May be called any number of times during one call. */
typedef void (*runyard_emit_fn)(void* context, const char* data, size_t size);

typedef struct runyard_plugin_v1 {
  size_t size; /* sizeof(runyard_plugin_v1) as the plugin was compiled */

  /* Emits the descriptor, a JSON object. OK or FAILED. */
  int32_t (*describe)(runyard_emit_fn emit, void* context);

  /*
   * Emits the command's arguments after the program, a JSON array of strings. `params` is a JSON
   * object of `params_size` bytes: valid for the descriptor's input schema, defaults filled in,
   * paths relative to the workspace. OK, INVALID or FAILED.
   */
  int32_t (*argv)(const char* params, size_t params_size, runyard_emit_fn emit, void* context);
} runyard_plugin_v1;

#define RUNYARD_EXPORT __attribute__((visibility("default")))

/* The one exported function: a table that lives as long as the library. */
RUNYARD_EXPORT const runyard_plugin_v1* runyard_plugin_v1_get(void);

/* The descriptor that runyard_add_plugin() has embedded; not exported. */
extern const char runyard_descriptor[];
extern const size_t runyard_descriptor_size;

#ifdef __cplusplus
}
#endif

#endif
