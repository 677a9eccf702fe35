# Two C++ Chainlets that share templates, inline variables and exceptions, in one process: each keeps its own copies, each catches
# its own exceptions, and what it doesn't catch becomes INTERNAL; with gcc and clang, plain and sanitized, and with link time
# optimization.
. "$(dirname "$0")/support.sh"
want='[2,202,-3,503]'

one_toolchain() { # CC CXX OPTIONS
    CC=$1 CXX=$2
    export CC CXX
    take templates
    expect "$want" "$chains" run $3 --input '{"count": 5}'
    refuse 1 'right takes no negative count' "$chains" run $3 --input '{"count": -1}'
    refuse 1 'INTERNAL' "$chains" run $3 --input '{"count": -1}'
    refuse 0 '1 passed, 0 failed' "$chains" test $3
}

for compilers in 'gcc g++' 'clang clang++'; do
    command -v "${compilers% *}" >/dev/null || exit 77
    one_toolchain $compilers ''
    # A sanitizer's runtime in the library itself must be the only one in a program.
    [ -n "${CHAINS_LIBRARY_SANITIZE:-}" ] || one_toolchain $compilers --sanitize
done

CC=gcc CXX=g++
take templates
sed -i 's/CHAINLET(left)/CHAINLET(left, .cflags = { "-flto" })/' left.h
sed -i 's/CHAINLET(right)/CHAINLET(right, .cflags = { "-flto", "-O3" })/' right.h
expect "$want" "$chains" run --input '{"count": 5}'
CC=clang CXX=clang++
rm -rf .chains
expect "$want" "$chains" run --input '{"count": 5}'
finish
