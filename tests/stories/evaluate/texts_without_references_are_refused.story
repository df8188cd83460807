file cases.jsonl: {"id":"1","input":"The mill stands by the river."}
run loam eval summarise cases.jsonl --baseline-only
expect exit 2
expect err contains reference
run loam eval translate --to fr cases.jsonl --baseline-only
expect exit 2
run loam eval translate cases.jsonl
expect exit 2
expect err contains --to fr
