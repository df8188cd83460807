file cases.jsonl:
    {"id": "1", "text": "Total: 5 EUR", "schema": {"type": "object", "properties": {"total": {"type": "number"}}}, "reference": {"total": 5}}
    {"id": "2", "text": "Sum: none", "schema": {"type": "object", "properties": {"total": {"type": "number"}}}, "reference": {"total": null}}
run loam eval extract cases.jsonl --baseline-only --json
expect exit 0
expect json /runs/0/name == "patterns"
expect json /runs/0/metrics/f1/value == 1.0
expect json /runs/0/metrics/f1/n == 2
file bad.jsonl: {"text": "x"}
run loam eval extract bad.jsonl --baseline-only
expect exit 2
expect err contains bad.jsonl line 1
