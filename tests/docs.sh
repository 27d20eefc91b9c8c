#!/usr/bin/env bash
# The reference of every plugin and role, as ansible-doc prints it, one text file each, in build/docs.
set -euo pipefail
cd "$(dirname "$0")/.."
PATH=$PWD/.venv/bin:$PATH
export ANSIBLE_CONFIG=$PWD/ansible.cfg
out=build/docs
mkdir -p "$out"
for type in module filter role; do
  for name in $(ansible-doc -t "$type" -l livepeer.ai --json | python3 -c 'import json, sys; print(*json.load(sys.stdin))'); do
    ansible-doc -t "$type" "$name" > "$out/$type.$name.txt"
    grep -q . "$out/$type.$name.txt" || { echo "docs: $name prints nothing"; exit 1; }
    echo "$out/$type.$name.txt"
  done
done
