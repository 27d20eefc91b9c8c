#!/usr/bin/env bash
# The reference of every plugin and role, as ansible-doc prints it, a text file for each kind, in build/docs.
set -euo pipefail
cd "$(dirname "$0")/.."
PATH=$PWD/.venv/bin:$PATH
export ANSIBLE_CONFIG=$PWD/ansible.cfg ANSIBLE_NOCOLOR=1
out=build/docs
rm -rf "$out"
mkdir -p "$out"
for type in module filter role; do
  mapfile -t names < <(ansible-doc -t "$type" -l livepeer.ai --json | python3 -c 'import json, sys; print(*json.load(sys.stdin), sep="\n")')
  # One call for all: most of its time goes into starting.
  ansible-doc -t "$type" "${names[@]}" > "$out/$type.txt"
  for name in "${names[@]}"; do
    grep --quiet --extended-regexp "^> [A-Z]+:? \*?$name\*?( |\$)" "$out/$type.txt" || { echo "docs: $name prints nothing"; exit 1; }
  done
  echo "$out/$type.txt: ${#names[@]}"
done
