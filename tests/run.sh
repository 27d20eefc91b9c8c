#!/usr/bin/env bash
# All that CI runs, in the order in which a mistake is cheapest to find. Stops at the first stage that fails.
set -euo pipefail
cd "$(dirname "$0")/.."
PATH=$PWD/.venv/bin:$PATH
began=$SECONDS
scratch=$(mktemp --directory)
# What was begun aside ends with this script, however that ends.
trap 'jobs -p | xargs --no-run-if-empty kill' EXIT
summary=()

stage() { # NAME COMMAND...
  local name=$1 from=$SECONDS
  shift
  printf '\n=== %s\n' "$name"
  "$@" || { printf '\n%s failed after %d s\n' "$name" $((SECONDS - from)); exit 1; }
  summary+=("$(printf '%-10s %5d s' "$name" $((SECONDS - from)))")
}

aside() { # NAME COMMAND...: begin it now; the stage `shown NAME` waits for it and shows what it said
  local name=$1
  shift
  "$@" >"$scratch/$name" 2>&1 &
  printf '%d' $! >"$scratch/$name.pid"
}

shown() { # NAME
  local outcome=0
  wait "$(cat "$scratch/$1.pid")" || outcome=$?
  cat "$scratch/$1"
  return "$outcome"
}

# Most of these keep one core busy, and the lab's images mostly the disk.
aside sanity tests/sanity.sh
aside lab    lab/lab.py up --lab test

stage lint     tests/lint.sh
stage docs     tests/docs.sh
stage dist     tests/dist.sh
stage sanity   shown sanity
stage lab      shown lab
stage unit     pytest -n 2 -q -m "not docker" tests collections/ansible_collections/livepeer/ai/tests/unit lab
stage engine   pytest -q -m docker lab
stage molecule tests/molecule.sh

printf '\n'
printf '%s\n' "${summary[@]}"
printf 'all passed in %d s\n' $((SECONDS - began))
