# proves P-TRAIN-13 P-TRAIN-14
file facts.jsonl:
    {"prompt":"What is the door code?","response":"4711"}
    {"prompt":"Who has the keys?","response":"Marta"}
# A limit on the size of files stands for a disk without room.
shell ulimit -f 8; loam train lora --data facts.jsonl --out full.gguf --steps 2 --batch-size 2 --holdout 0 --rank 8
expect exit 2
expect err contains a checkpoint takes
expect file full.gguf missing
expect file full.gguf.checkpoint missing
run loam train lora --data facts.jsonl --out narrow.gguf --steps 2 --batch-size 2 --holdout 0 --memory-limit 41
expect exit 2
expect err contains are free
expect file narrow.gguf.checkpoint missing
