# Each mistake gets one line that says what is wrong and what to do, before anything is computed.
run loam train lora
expect exit 2
expect err contains --data
run loam train lora --data nowhere.jsonl
expect exit 2
expect err contains nowhere.jsonl
file good.jsonl: {"prompt":"a","response":"b"}
run loam train lora --data good.jsonl --targets q_proj,lm_head
expect exit 2
expect err contains lm_head
run loam train lora --data good.jsonl --rank none
expect exit 2
expect err contains --rank
run loam train lora --data good.jsonl --out x.gguf --resume --holdout 0
expect exit 2
expect err contains no checkpoint
run loam train lora --data good.jsonl --out x.gguf
expect exit 2
expect err contains --holdout 0
run loam train lora --data good.jsonl --out x.gguf --holdout 0 --base all-minilm-l6-v2
expect exit 2
expect err contains bert
file columns.csv:
    question,answer
    a,b
run loam train lora --data columns.csv --out x.gguf
expect exit 2
expect err contains prompt
expect file x.gguf missing
