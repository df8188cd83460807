file papers.jsonl:
    {"id":"1","input":"The mill stands by the river. The river drives the mill wheel. Corn comes to the mill.","reference":"The mill stands by the river."}
    {"id":"2","input":"The school has ten rooms. Each room of the school has a stove.","reference":"The school has ten rooms."}

run loam eval summarise papers.jsonl --baseline-only --sentences 1 --json
expect exit 0
expect json /runs/0/name == "textrank"
expect json /runs/1/name == "lead"
expect json /runs/1/metrics/rouge_1/value == 1
expect json /comparisons/length == 1
file pairs.jsonl: {"id":"1","input":"Paris","reference":"Paris"}
run loam eval translate --to fr pairs.jsonl --baseline-only --json
expect exit 0
expect json /runs/0/name == "copy-source"
