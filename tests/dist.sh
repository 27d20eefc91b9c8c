#!/usr/bin/env bash
# Build the Galaxy artefact, install it into an empty path, and read a module's and a role's documentation from there.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
PATH=$root/.venv/bin:$PATH
dist=$root/dist
empty=$(mktemp -d)
trap 'rm -rf "$empty"' EXIT

mkdir -p "$dist"
ansible-galaxy collection build --force --output-path "$dist" collections/ansible_collections/livepeer/ai
artefact=$(ls -t "$dist"/livepeer-ai-*.tar.gz | head -n 1)

# From here on in an empty directory with an empty configuration, so that the source tree cannot answer for the artefact.
cd "$empty"
touch ansible.cfg
export ANSIBLE_CONFIG=$empty/ansible.cfg ANSIBLE_COLLECTIONS_PATH=$empty

# --no-deps: community.docker comes with the `ansible` package, and nothing is fetched.
ansible-galaxy collection install --offline --no-deps --collections-path "$empty" "$artefact"
ansible-doc livepeer.ai.hf_snapshot > module.txt
ansible-doc -t role livepeer.ai.orchestrator > role.txt
grep -q "$empty" module.txt || { echo "dist: hf_snapshot was not read from the installed artefact"; exit 1; }
grep -q orchestrator_models role.txt || { echo "dist: the role's documentation is missing from the artefact"; exit 1; }
echo "dist: $(basename "$artefact") builds, installs and documents itself"
