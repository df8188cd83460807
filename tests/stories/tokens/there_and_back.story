run loam tokens encode "Hello world"
expect exit 0
expect out contains "Hello"
expect out contains " world"
run loam tokens encode --json "Größe 日本 🚲"
expect exit 0
expect json /count > 3
shell loam tokens encode --json "Hello world" | python3 -c 'import json,sys; print(*[t["token"] for t in json.load(sys.stdin)["tokens"]])' | xargs loam tokens decode
expect out is Hello world
