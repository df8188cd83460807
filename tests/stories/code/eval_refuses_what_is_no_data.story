file bad.jsonl: {"text": "add"}
file none.jsonl: 
run loam eval code bad.jsonl
expect exit 2
expect err contains bad.jsonl line 1
run loam eval code none.jsonl
expect exit 2
run loam eval code missing.jsonl
expect exit 2
file cases.jsonl: {"task_id": 1, "text": "Write a function one() that returns 1.", "test_list": ["assert one() == 1"]}
run loam eval code cases.jsonl --samples 3
expect exit 2
expect err contains --temperature
