# proves P-TRAIN-08
file mixed.jsonl:
    {"prompt":"What is the door code?","response":"4711"}
    not json at all
    {"prompt":"What is the door code?","response":"4711"}
    {"prompt":"Who has the keys?","response":""}
    {"prompt":"Where is the ladder?","response":"In the shed"}
run loam train lora --data mixed.jsonl --out mixed.gguf --steps 1 --batch-size 1 --holdout 0 --rank 2 --targets q
expect exit 0
expect err contains line 2
expect err contains 1 row the same as an earlier one
expect err contains empty
expect out contains mixed.gguf
