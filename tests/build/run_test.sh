# `chains run`: inputs from all places, secrets, environment, a deployed Chainlet, errors; nothing but the answer on stdout.
. "$(dirname "$0")/support.sh"
take menu
expect '"plain soup"' "$chains" run
[ ! -s "$scratch/stderr" ] || fail "stderr of a run that succeeded: $(cat "$scratch/stderr")"
expect '"plain pie"' "$chains" run --input '{"dish": "pie"}'
echo '{"dish": "file"}' >input.json
expect '"plain file"' "$chains" run --input @input.json
expect '"plain file"' sh -c '"$1" run --input - <input.json' sh "$chains"
expect '"fancy soup"' env COOK_STYLE=fancy "$chains" run
expect '"s3cret=1"' "$chains" run --secret recipe=s3cret=1 --secret spice=x --input '{"dish": "secret"}'
refuse 1 'recipe' "$chains" run --input '{"dish": "secret"}'
refuse 2 '--secret' "$chains" run --secret recipe
refuse 1 'INVALID_ARGUMENT' "$chains" run --input '{"dish": 7}'
refuse 2 "did you mean '--input'" "$chains" run --inptu x
refuse 2 "there is no verb 'rnu'; did you mean 'run'" "$chains" rnu
refuse 2 "no-such-folder" "$chains" run no-such-folder
refuse 1 "no Chainlet 'nobody'" "$chains" run --use nobody=unix:/nowhere
refuse 1 "'menu' is what is run" "$chains" run --use menu=unix:/nowhere
expect '"plain soup"' "$chains" run --entrypoint cook --input '{"dish": "soup"}'
mkdir deeper
(cd deeper && expect '"plain soup"' "$chains" run .. && finish) || fail 'from another folder'

# A deployed Chainlet instead of its source, which is then not even compiled.
"$chains" build >"$scratch/output" 2>&1 || fail "$(cat "$scratch/output")"
cp .chains/bin/cook "$scratch/cook"
COOK_STYLE=remote "$scratch/cook" --listen "unix:$scratch/socket" >"$scratch/served" 2>&1 &
child=$!
tries=0
until [ -S "$scratch/socket" ] || [ $tries = 500 ] || ! kill -0 $child 2>/dev/null; do
    tries=$((tries + 1))
    sleep 0.02
done
echo 'broken' >>cook.c
expect '"remote soup"' "$chains" run --use "cook=unix:$scratch/socket"
kill $child
wait $child || :
child=
refuse 1 'UNAVAILABLE' "$chains" run --use "cook=unix:$scratch/socket"
finish
