# A dependency that is co-located is in its caller's service, a copy for each caller, and is asked there; another caller's calls go
# to its own service.
. "$(dirname "$0")/support.sh"
cp -r "$here/../golden/links" "$scratch/links"
cd "$scratch/links"
rm -rf expected
"$chains" build --json >"$scratch/services" 2>"$scratch/stderr" || fail "$(cat "$scratch/stderr")"
python3 - "$scratch/services" <<'END' || fail "$(cat "$scratch/services")"
import json, sys
services = {s["name"]: s for s in json.load(open(sys.argv[1]))}
assert list(services) == ["counter", "store", "front"], list(services)
assert services["store"]["dependencies"] == [], services["store"]
assert sorted(services["front"]["dependencies"]) == ["counter", "store", "translator"]
END
nm .chains/bin/store | grep -q 'chains_counter_implementation' || fail 'store does not hold counter'
if nm .chains/bin/front | grep -q 'chains_counter_implementation'; then fail 'front holds counter'; fi
ldd .chains/bin/front | grep -q libssl || fail 'front calls https without TLS'
if ldd .chains/bin/store | grep -q libssl; then fail 'store links TLS'; fi

# store answers without any address of counter.
env -u CHAINS_COUNTER_URL .chains/bin/store --listen "unix:$scratch/socket" >"$scratch/served" 2>&1 &
child=$!
tries=0
until [ -S "$scratch/socket" ] || [ $tries = 500 ] || ! kill -0 $child 2>/dev/null; do
    tries=$((tries + 1))
    sleep 0.02
done
expect 'null' "$chains" run --entrypoint store --input '{"text": "moon"}'
cat >fake_translator.c <<'END'
#include "front.h"
chains_status translator_run_remote(translator *self, chains_ctx *ctx, const char *text, const char **translated)
{
    (void)self;
    *translated = chains_printf(ctx, "<%s>", text);
    return CHAINS_OK;
}
END
expect '{"translated":"<moon>","calls":1}' "$chains" run --fake fake_translator.c --use "store=unix:$scratch/socket" \
    --input '{"text": "moon"}'
kill $child
wait $child || :
child=
finish
