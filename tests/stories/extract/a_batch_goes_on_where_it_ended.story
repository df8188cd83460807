file schema.json: {"type": "object", "properties": {"total": {"type": "number"}}}
file a.txt: Total: 1 EUR
file b.txt: Total: 2 EUR
run loam extract schema.json a.txt --output out.jsonl --baseline-only
expect exit 0
expect file out.jsonl contains a.txt
run loam extract schema.json a.txt b.txt --output out.jsonl --baseline-only
expect exit 0
shell test $(grep -c . out.jsonl) = 2
expect exit 0
file rows.csv:
    key,text
    x,Total: 5 EUR
    y,Total: 6 EUR
run loam extract schema.json rows.csv --column text --id key --output rows.jsonl --baseline-only
expect exit 0
expect file rows.jsonl contains "id"
run loam extract schema.json rows.csv --column absent --baseline-only
expect exit 2
