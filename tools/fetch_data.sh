#!/usr/bin/env bash
# Installs real daily prices for the sample workload:
#   data/stocks/SPX.csv   2000-2020, from the npm package vega-datasets (BSD-3-Clause)
#   data/stocks/GOOG.csv  2004-2008, from Debian's package python-matplotlib-data
# A file that exists is left as it is, so a second call does nothing and a user's own CSV is safe.
# Needs npm, apt-get, dpkg-deb, and Python 3 with NumPy and PyYAML (PYTHON names another interpreter).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly vega_datasets=vega-datasets@3.2.1
readonly python=${PYTHON:-/usr/bin/python3}
readonly folder=data/stocks

fail() {
  printf '[ERROR] %s\n' "$*" >&2
  exit 1
}

need() {
  command -v "$1" >/dev/null || fail "$1 is missing: install it with: apt-get install $2"
}

[[ -e $folder/SPX.csv && -e $folder/GOOG.csv ]] && exit 0

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

if [[ ! -e $folder/SPX.csv ]]; then
  need npm npm
  (cd "$work" && npm pack --loglevel=error --no-update-notifier "$vega_datasets" >npm.out 2>npm.err) ||
    fail "npm could not fetch $vega_datasets: $(tail -n 3 "$work/npm.err" | tr '\n' ' ')"
  tar -xzf "$work"/vega-datasets-*.tgz -C "$work" package/data/sp500-2000.csv
  "$python" -m scripts.convert_prices "$work/package/data/sp500-2000.csv" $folder/SPX.csv
fi

if [[ ! -e $folder/GOOG.csv ]]; then
  need apt-get apt
  # Without the sandbox user, who may not write into our folder.
  (cd "$work" && apt-get -qq -o APT::Sandbox::User="$(id -un)" download python-matplotlib-data \
    >apt.out 2>&1) ||
    fail "apt-get could not download python-matplotlib-data (apt-get update may help):" \
      "$(tail -n 3 "$work/apt.out" | tr '\n' ' ')"
  dpkg-deb -x "$work"/python-matplotlib-data_*.deb "$work/debian"
  "$python" -m scripts.convert_prices \
    "$(find "$work/debian" -name goog.npz -print -quit)" $folder/GOOG.csv
fi
