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
expect 'menu
└─ cook' "$chains" graph
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
expect 'hello' sh -c '"$1" init hello >/dev/null && echo hello' sh "$chains"
expect '["Hello, moon!"]' "$chains" run hello --input '{"words": ["moon"]}'
refuse 0 '1 passed, 0 failed' "$chains" test hello
refuse 1 'File exists' "$chains" init hello
for verb in init check graph build run test openapi; do
    refuse 0 'Example:' "$chains" "$verb" --help
done
refuse 0 'openapi' "$chains" --help
finish
