# A CUDA Chainlet: compiled by nvcc, its exceptions caught. Runs with and without a GPU; skipped without nvcc.
. "$(dirname "$0")/support.sh"
take cuda
refuse 1 "'scale.cu' needs nvcc" env NVCC=/nowhere/nvcc "$chains" build
[ -x "${NVCC:-/usr/local/cuda/bin/nvcc}" ] || command -v nvcc >/dev/null || exit 77
"$chains" run --input '{"numbers": [1, 2.5], "by": 2}' >"$scratch/output" 2>"$scratch/stderr" || fail "$(cat "$scratch/stderr")"
grep -q '"scaled":\[2,5\]\|"scaled":\[2.0,5.0\]' "$scratch/output" || fail "$(cat "$scratch/output")"
many=$(seq -s, 1 1001)
refuse 1 'too many numbers' "$chains" run --input "{\"numbers\": [$many], \"by\": 2}"
finish
