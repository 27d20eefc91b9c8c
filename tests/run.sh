#!/usr/bin/env bash
# All that CI runs, in the order in which a mistake is cheapest to find. Stops at the first stage that fails.
set -euo pipefail
cd "$(dirname "$0")/.."
PATH=$PWD/.venv/bin:$PATH
began=$SECONDS
summary=()

stage() { # NAME COMMAND...
  local name=$1 from=$SECONDS
  shift
  printf '\n=== %s\n' "$name"
  "$@" || { printf '\n%s failed after %d s\n' "$name" $((SECONDS - from)); exit 1; }
  summary+=("$(printf '%-10s %5d s' "$name" $((SECONDS - from)))")
}

stage lint     tests/lint.sh
stage sanity   tests/sanity.sh
stage unit     pytest -n 2 -q -m "not docker" tests collections/ansible_collections/livepeer/ai/tests/unit lab
stage docs     tests/docs.sh
stage dist     tests/dist.sh
stage lab      lab/lab.py up --lab test
stage engine   pytest -q -m docker lab
stage molecule tests/molecule.sh

printf '\n'
printf '%s\n' "${summary[@]}"
printf 'all passed in %d s\n' $((SECONDS - began))
