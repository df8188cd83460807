file choices.jsonl:
    {"id": "a", "context": "One", "choices": ["two", "three"], "answer": 0}
    {"id": "b", "context": "One", "choices": ["two", "three"], "answer": 2}
run loam eval loglikelihood choices.jsonl
expect exit 2
expect err contains choices.jsonl
expect err contains line 2
expect err lines 1
expect out empty
run loam eval loglikelihood nosuch.jsonl
expect exit 2
expect err contains nosuch.jsonl
expect err lines 1
run loam eval loglikelihood
expect exit 2
run loam eval logliklihood choices.jsonl
expect exit 2
expect err contains loglikelihood
