file cases.jsonl:
    {"task_id": 1, "text": "Write a function one() that returns 1.", "test_list": ["assert one() == 1"]}
    {"task_id": 2, "text": "Write a function two() that returns 2.", "test_list": ["assert two() == 2"]}
run loam eval code cases.jsonl --max-tokens 48 --json
expect exit 0
expect json /task == "code"
expect json /metrics/pass@1/n == 2
expect json /metrics/pass@1/value >= 0
expect json /metrics/pass@1/value <= 1
