run loam ledger import missing.jsonl
expect exit 2
expect err contains there is no such file
file runs.jsonl:
    {"task":"qa","name":"a","metrics":{"f1":0.5}}
    {"task":"qa","name":"b","metrics":{"f1":"good"}}
run loam ledger import runs.jsonl
expect exit 2
expect err contains runs.jsonl line 2
expect err contains f1
run loam ledger
expect exit 1
file runs.jsonl: {"task":"qa","name":"a","metric":{"f1":0.5}}
run loam ledger import runs.jsonl
expect exit 2
expect err contains "metric" is not a key of a run
bytes binary: \x00\xff\xfe
run loam ledger import binary
expect exit 2
expect err contains line 1
file empty.jsonl:
run loam ledger import empty.jsonl
expect exit 2
expect err contains holds no run
