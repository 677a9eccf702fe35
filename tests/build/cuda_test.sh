# A CUDA Chainlet: compiled by nvcc, its exceptions caught. Runs with and without a GPU; skipped without nvcc.
. "$(dirname "$0")/support.sh"
take cuda
refuse 1 "'scale.cu' needs nvcc" env NVCC=/nowhere/nvcc "$chains" build
[ -x "${NVCC:-/usr/local/cuda/bin/nvcc}" ] || command -v nvcc >/dev/null || exit 77
"$chains" run --input '{"numbers": [1, 2.5], "by": 2}' >"$scratch/output" 2>"$scratch/stderr" || fail "$(cat "$scratch/stderr")"
grep -q '"scaled":\[2,5\]\|"scaled":\[2.0,5.0\]' "$scratch/output" || fail "$(cat "$scratch/output")"
many=$(seq -s, 1 1001)

# nvcc behind a script elsewhere: the libraries are where nvcc says, not beside its name.
mkdir "$scratch/bin"
printf '#!/bin/sh\nexec %s "$@"\n' "$(command -v nvcc || echo "${NVCC:-/usr/local/cuda/bin/nvcc}")" >"$scratch/bin/nvcc"
chmod +x "$scratch/bin/nvcc"
rm -r .chains
env -u LIBRARY_PATH PATH="$scratch/bin:$PATH" "$chains" run --input '{"numbers": [2], "by": 4}' >"$scratch/output" 2>"$scratch/stderr" ||
    fail "nvcc behind a script: $(cat "$scratch/stderr")"
refuse 1 'too many numbers' "$chains" run --input "{\"numbers\": [$many], \"by\": 2}"
finish
