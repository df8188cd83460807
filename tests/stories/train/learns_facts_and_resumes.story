# proves P-TRAIN-06
file facts.jsonl:
    {"prompt":"What is the door code?","response":"4711"}
    {"prompt":"Who has the keys?","response":"Marta"}
    {"prompt":"Where is the ladder?","response":"In the shed"}
run loam train lora --data facts.jsonl --out facts.gguf --steps 2 --batch-size 2 --holdout 0 --rank 4 --targets q,v --json
expect exit 0
expect jsonl some /event == "plan"
expect jsonl some /event == "step"
expect jsonl some /event == "done"
expect file facts.gguf
expect file facts.gguf.checkpoint missing
# The same again gives the same bytes.
run loam train lora --data facts.jsonl --out again.gguf --steps 2 --batch-size 2 --holdout 0 --rank 4 --targets q,v
expect exit 0
expect out contains again.gguf
shell cmp facts.gguf again.gguf
expect exit 0
# Stopped at its first word, a run leaves a checkpoint; resumed, it ends with the same bytes.
interrupt-on-output loam train lora --data facts.jsonl --out parts.gguf --steps 2 --batch-size 2 --holdout 0 --rank 4 --targets q,v --json
expect exit 1
expect jsonl some /event == "stopped"
shell test -f parts.gguf.checkpoint && RESUME=--resume; loam train lora --data facts.jsonl --out parts.gguf --steps 2 --batch-size 2 --holdout 0 --rank 4 --targets q,v $RESUME && cmp facts.gguf parts.gguf
expect exit 0
