# Fakes: the real source is left out with what only it needs, in local runs, in tests and in services.
. "$(dirname "$0")/support.sh"
take kitchen
expect '3 Chainlets, no errors' "$chains" check
refuse 1 "cook.h:5:10: error: 'cook' needs the library 'imaginary'" "$chains" build
refuse 1 'libimaginary7 imaginary-data' "$chains" run
refuse 1 "'oven' has no source" "$chains" build --entrypoint oven
expect '["quick soup","quick pie"]' "$chains" run --fake quick_cook.c --input '{"dishes": ["soup", "pie"]}'
expect '["soup number 41"]' "$chains" run --fake slow_cook.c --input '{"dishes": ["soup"]}'
expect '["quick soup"]' "$chains" run --fake=quick_cook.c --strict --input '{"dishes": ["soup"]}'
refuse 1 'no-such.c' "$chains" run --fake no-such.c
expect 'pass  tests/good_test.c
1 passed, 0 failed' "$chains" test
(cd / && expect '["quick soup"]' "$chains" run --fake "$scratch/kitchen/quick_cook.c" --input '{"dishes": ["soup"]}' \
    "$scratch/kitchen" && finish) || fail 'from elsewhere'

"$chains" build --fake slow_cook.c >"$scratch/services" 2>"$scratch/stderr" || fail "$(cat "$scratch/stderr")"
[ "$(wc -l <"$scratch/services")" = 2 ] || fail "not two services: $(cat "$scratch/services")"
grep -q '^cook .*(fake)$' "$scratch/services" || fail "$(cat "$scratch/services")"

# What a test says when it fails, and how its end is counted.
cat >tests/bad_test.c <<'END'
#include <stdio.h>
int main(void) { puts("what went wrong"); return 3; }
END
cat >tests/crash_test.c <<'END'
#include <stdlib.h>
int main(void) { abort(); }
END
cat >tests/unfinished_test.c <<'END'
int main(void) { return missing; }
END
refuse 1 '1 passed, 3 failed' "$chains" test
for line in 'pass  tests/good_test.c' 'FAIL  tests/bad_test.c: exit status 3' '      what went wrong' \
    'FAIL  tests/crash_test.c: ended by Aborted' 'FAIL  tests/unfinished_test.c: not built' "tests/unfinished_test.c:1:25: error: 'missing' undeclared"; do
    sed "s/[‘’]/'/g" "$scratch/output" | grep -q -F -e "$line" || fail "no '$line' in: $(cat "$scratch/output")"
done
refuse 0 '1 passed, 0 failed' "$chains" test tests/good_test.c
cat >tests/endless_test.c <<'END'
#include <unistd.h>
int main(void) { for (;;) pause(); }
END
refuse 1 'FAIL  tests/endless_test.c: not done after 0.5 s' "$chains" test --timeout 0.5 tests/endless_test.c
refuse 2 'takes seconds' "$chains" test --timeout -1
finish
