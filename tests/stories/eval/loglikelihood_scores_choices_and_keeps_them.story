file choices.jsonl:
    {"id": "paris", "context": "The capital of France is", "choices": ["Berlin", "Paris", "Madrid"], "answer": 1}
    {"id": "sky", "context": "On a clear day the colour of the sky is", "choices": ["blue", "square"], "answer": 0}
    {"id": "wrong", "context": "The capital of France is", "choices": ["Berlin", "Paris"], "answer": 0}
run loam eval loglikelihood choices.jsonl --json
expect exit 0
expect json /task == "loglikelihood"
expect json /data/items == 3
expect json /metrics/accuracy/n == 3
expect json /metrics/accuracy/value > 0.6
expect json /metrics/accuracy/value < 0.7
expect json /metrics/accuracy_norm/value is number
expect json /refused == 0
expect json /tokens > 10
expect json /models/0/sha256 matches ^[0-9a-f]{64}$
expect json /run > 0
run loam eval loglikelihood choices.jsonl --limit 2
expect exit 0
expect out contains accuracy_norm
expect out matches 1\.0000 to 1\.0000
expect out contains Ledger run
run loam ledger --json
expect json /runs/0/task == "loglikelihood"
