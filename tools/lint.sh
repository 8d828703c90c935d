#!/usr/bin/env bash
# Rules of the project that a compiler does not know. Prints what breaks one, and ends with 1.
set -uo pipefail
shopt -s lastpipe  # so that rule() sets `broken` here
cd "$(dirname "${BASH_SOURCE[0]}")/.."
broken=0

# rule DESCRIPTION: complains when standard input has lines.
rule() {
  local found
  found=$(cat)
  [[ -z $found ]] && return
  printf 'lint: %s\n%s\n' "$1" "$found" >&2
  broken=1
}

sources() { git ls-files --cached --others --exclude-standard -- "$@"; }

sources | while read -r file; do
  [[ -f $file ]] && head -c 3 "$file" | grep -qa $'^\xef\xbb\xbf' && echo "$file"
done | rule "no byte order mark"
sources '*.cpp' '*.h' '*.py' '*.sh' '*.cmake' '*.json' '*.yaml' | xargs -r grep -lI $'\r$' | rule "no CRLF"
sources 'plugins/*/*.cpp' 'plugins/*/*.h' | xargs -r grep -nE '#include "(core|api|cli)/' | rule "plugins use the SDK alone"
sources 'core/*.cpp' 'core/*.h' | xargs -r grep -nE '#include "(api|cli)/' | rule "core knows neither api nor cli"
sources 'api/*.cpp' 'api/*.h' | xargs -r grep -nE '#include "core/(store|queue|exec)/' | rule "api goes through core/service"
sources '*.cpp' '*.h' | grep -v '^tests/' | xargs -r grep -nE '^[^/]*std::(basic_)?regex' | rule "RE2 and not std::regex"
sources '*.cpp' '*.h' | grep -v '^tests/' | xargs -r grep -nE '\b(system|popen)\(' | rule "no shell"
# Paths from outside are opened by core/base/confined_path alone: whatever opens a file otherwise is in
# tools/opens_files.txt with its reason, and what is there does so.
opens='[io]?fstream\b|\bfopen\(|(^|[^A-Za-z0-9_>])::open(at)?\(|\bO_(RDONLY|RDWR|WRONLY|PATH)\b|openat2|LoadFile'
opens+='|\b(read_file|write_file_atomic|opendir|sqlite3_open_v2)\(|directory_iterator|shared_library|rotating_file'
comm -3 <(sources 'core/*.cpp' 'core/*.h' 'api/*.cpp' 'api/*.h' 'cli/*.cpp' 'cli/*.h' | xargs -r grep -lE "$opens" | sort) \
  <(grep -oE '^(core|api|cli)/[^ ]+' tools/opens_files.txt | sort) | tr -d '\t' |
  rule "opens files by itself, or is in tools/opens_files.txt and does not"
if command -v clang-format >/dev/null; then
  sources "*.cpp" "*.h" | xargs -r clang-format --dry-run 2>&1 | grep "warning:" | cut -d: -f1 | sort -u | rule "clang-format (version 14)"
fi
exit $broken
