run loam summarise nosuch.md --baseline-only
expect exit 2
expect err contains nosuch.md
expect err lines 1
bytes foreign.jsonl: dear diary\n
file a.md: The mill stands by the river.
run loam summarise a.md --baseline-only --output foreign.jsonl
expect exit 2
expect err contains foreign.jsonl line 1
expect file foreign.jsonl contains dear diary
