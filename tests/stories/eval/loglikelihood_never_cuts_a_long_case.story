# proves P-EVAL-31
shell python3 -c 'import json; print(json.dumps({"id": "long", "context": "word " * 2000 + "end", "choices": ["a", "b"], "answer": 0})); print(json.dumps({"id": "short", "context": "The capital of France is", "choices": ["Paris", "Rome"], "answer": 0}))' > choices.jsonl
run loam eval loglikelihood choices.jsonl --ctx 512 --json
expect exit 0
expect json /refused == 1
expect json /metrics/accuracy/n == 2
expect json /metrics/accuracy/value == 0.5
