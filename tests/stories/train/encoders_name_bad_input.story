# Each mistake gets one line that says what is wrong and what to do, before anything is computed.
run loam train reader
expect exit 2
expect err contains --data
run loam train reranker --data nowhere.jsonl
expect exit 2
expect err contains nowhere.jsonl
file asked.jsonl: {"question":"How many?","context":"Six pumps.","answers":[{"text":"Six","start":0}]}
run loam train reader --data asked.jsonl --holdout 0 --base smollm2-135m-instruct-q4_1 --out x.gguf
expect exit 2
expect err contains not an encoder
run loam train reader --data asked.jsonl --holdout 0 --seq-len 600 --out x.gguf
expect exit 2
expect err contains 512
run loam train reader --data asked.jsonl --out x.gguf
expect exit 2
expect err contains --holdout 0
run loam train reranker --data asked.jsonl --holdout 0 --out x.gguf
expect exit 2
expect err contains second passage
file elsewhere.jsonl: {"question":"How many?","context":"Six pumps.","answers":[{"text":"Ten","start":0}]}
run loam train reader --data elsewhere.jsonl --holdout 0 --out x.gguf
expect exit 2
expect err contains none of its 1 row
run loam train head --data asked.jsonl --holdout 0 --out x.gguf
expect exit 2
expect err contains text
run loam train embedder --data asked.jsonl --negatives -3
expect exit 2
expect err contains --negatives
run loam train reader --data asked.jsonl --holdout 0 --resume --out x.gguf
expect exit 2
expect err contains no checkpoint
expect file x.gguf missing
