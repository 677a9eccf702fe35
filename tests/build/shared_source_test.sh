# Two Chainlets in one header and one source: the call between them is a call between Chainlets all the same (its limits hold), and
# in deployment goes to the other's service.
. "$(dirname "$0")/support.sh"
for compilers in 'gcc g++' 'clang clang++'; do
    CC=${compilers% *} CXX=${compilers#* }
    export CC CXX
    take house
    expect '81' "$chains" run --input '{"side": 9}'
    refuse 1 'INVALID_ARGUMENT' "$chains" run --input '{"side": 101}'
    "$chains" build >/dev/null 2>"$scratch/stderr" || fail "$(cat "$scratch/stderr")"
    nm .chains/obj/house.unit.o | grep -q 'U chainsi_call' || fail 'the call goes past the stub'
done
finish
