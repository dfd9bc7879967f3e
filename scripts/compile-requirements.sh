#!/usr/bin/env bash
# Resolves pyproject.toml into pinned, hashed requirement files that name no registry.
# Needs uv (pip install uv). One resolution for all: the run set is constrained to the test set's versions.
set -euo pipefail
cd "$(dirname "$0")/.."
compile() {
  uv pip compile pyproject.toml --quiet --universal --generate-hashes --no-emit-index-url --no-emit-find-links \
    --custom-compile-command "make requirements" "$@"
}
compile --extra server --extra cpu --extra player --extra dev -o requirements-dev.txt
compile --extra server --extra cpu -c requirements-dev.txt -o requirements.txt
compile --extra server --extra gpu -c requirements-dev.txt -o requirements-gpu.txt
compile --extra player -c requirements-dev.txt -o requirements-player.txt
compile --extra player --extra player-build -c requirements-dev.txt -o requirements-player-build.txt
