# What verbs that only look print: openapi is what a replica says, without the source; graph; check; init.
. "$(dirname "$0")/support.sh"
take menu
"$chains" build >"$scratch/output" 2>&1 || fail "$(cat "$scratch/output")"
expect "$(.chains/bin/menu --openapi)" "$chains" openapi
expect "$(.chains/bin/cook --openapi)" "$chains" openapi --entrypoint cook
rm -r .chains menu.c cook.c
"$chains" openapi | python3 -c 'import json, sys
document = json.load(sys.stdin)
assert document["openapi"].startswith("3.1"), document["openapi"]
assert "/run_remote" in document["paths"]' || fail 'openapi'
expect 'menu (entrypoint)
└─ cook' sh -c '"$1" graph --format tree | grep -v -e "->"' sh "$chains"
expect '["cook"]' sh -c '"$1" graph --json | python3 -c "import json, sys
graph = json.load(sys.stdin)
assert graph[\"entrypoint\"] == \"menu\"
menu = [c for c in graph[\"chainlets\"] if c[\"name\"] == \"menu\"][0]
print(json.dumps([d[\"name\"] for d in menu[\"dependencies\"]]))"' sh "$chains"
expect '[]' "$chains" check --json
sed -i 's/const char \*dish/void *dish/' cook.h
refuse 2 'cook.h:8' "$chains" check
refuse 2 '"severity"' "$chains" check --json

cd "$scratch"
for name in hello my/greet_all; do
    expect "$name" sh -c '"$1" init "$2" >/dev/null && echo "$2"' sh "$chains" "$name"
    expect '["Hello, moon!"]' "$chains" run "$name" --input '{"words": ["moon"]}'
    refuse 0 '1 passed, 0 failed' "$chains" test "$name"
    refuse 1 'File exists' "$chains" init "$name"
done
expect 'greet_all (entrypoint)
└─ greet_all_writer, retries 2, timeout 5000 ms' sh -c '"$1" graph my/greet_all --format tree | grep -v -e "->"' sh "$chains"
refuse 2 'no name' "$chains" init 9lives
refuse 2 'no name' "$chains" init class
for verb in init check graph build run test openapi; do
    refuse 0 'Example:' "$chains" "$verb" --help
done
refuse 0 'openapi' "$chains" --help
finish
