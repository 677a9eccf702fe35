# What the tests here share. Called with the program; $scratch is theirs and goes at the end.
set -eu
chains=$1
here=$(cd "$(dirname "$0")" && pwd)
scratch=$(mktemp -d)
child=
trap '[ -z "$child" ] || kill "$child" 2>/dev/null || :; rm -rf "$scratch"' EXIT
trap 'exit 1' INT TERM
failures=0

# fail WHAT: notes a failure, and goes on.
fail() {
    echo "FAIL: $*" >&2
    failures=$((failures + 1))
}

# expect WANTED COMMAND...: its stdout is just that, and it succeeds.
expect() {
    wanted=$1
    shift
    if ! got=$("$@" 2>"$scratch/stderr"); then
        fail "'$*' failed: $(cat "$scratch/stderr")"
    elif [ "$got" != "$wanted" ]; then
        fail "'$*' printed '$got', not '$wanted'"
    fi
}

# refuse STATUS WANTED COMMAND...: it exits with that status, and its stdout and stderr together contain the text.
refuse() {
    status=$1 wanted=$2
    shift 2
    rc=0
    "$@" >"$scratch/output" 2>&1 || rc=$?
    [ "$rc" = "$status" ] || fail "'$*' exited with $rc, not $status: $(cat "$scratch/output")"
    grep -q -F -e "$wanted" "$scratch/output" ||
        fail "'$*' did not say '$wanted', but: $(cat "$scratch/output")"
}

# take CHAIN: copies a chain of this folder into the scratch folder and goes there.
take() {
    rm -rf "${scratch:?}/$1"
    cp -r "$here/$1" "$scratch/$1"
    cd "$scratch/$1"
}

finish() {
    [ "$failures" = 0 ]
}
