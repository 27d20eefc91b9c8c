#!/usr/bin/env bash
# ansible-test sanity over the collection, without a container and without leaving PyPI.
#
# ansible-test bootstraps pip in its own virtual environments with a script from a CI server; Python's ensurepip does
# the same offline. The cache that it looks into first lives below HOME, so HOME points into build/ for this command.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
venv=$root/.venv
pip_version=24.2 # the one that ansible-core 2.19 asks for (ansible_test/_internal/python_requirements.py)

export HOME=$root/build/sanity-home
export PIP_CACHE_DIR=$root/build/cache/pip
mkdir -p "$HOME/.ansible/test/cache"
cat > "$HOME/.ansible/test/cache/get_pip_${pip_version/./_}.py" <<SHIM
import subprocess, sys
subprocess.run([sys.executable, "-m", "ensurepip"], check=True, stdout=subprocess.DEVNULL)
subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "pip==${pip_version}"], check=True)
SHIM

cd collections/ansible_collections/livepeer/ai
PATH=$venv/bin:$PATH exec ansible-test sanity --local --requirements --python 3.11 --color no "$@"
