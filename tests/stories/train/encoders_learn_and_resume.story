# proves P-TRAIN-06 P-TRAIN-08
# Each kind of head is taught in a few steps, tells what is wrong with the data, and goes on where it was stopped.
file asked.jsonl:
    {"question":"How many pumps are there?","context":"The cellar has six pumps.","answers":[{"text":"six","start":15}]}
    {"question":"Who repairs the roof?","context":"The owner repairs the roof.","answers":[{"text":"The owner","start":0}]}
    not json at all
    {"question":"When is rent due?","context":"Rent is due on the third working day.","answers":[{"text":"fourth day","start":3}]}
    {"question":"Who pays for the lift?","context":"The cellar has six pumps.","answers":[]}
run loam train reader --data asked.jsonl --out reader.gguf --steps 2 --batch-size 2 --holdout 0 --rank 4 --json
expect exit 0
expect jsonl some /event == "plan"
expect jsonl some /event == "step"
expect jsonl some /kind == "reader"
expect file reader.gguf
expect file reader.gguf.checkpoint missing
run loam train reader --data asked.jsonl --out again.gguf --steps 2 --batch-size 2 --holdout 0 --rank 4
expect exit 0
expect err contains line 3
expect err contains does
shell cmp reader.gguf again.gguf
expect exit 0
interrupt-on-output loam train reader --data asked.jsonl --out parts.gguf --steps 2 --batch-size 2 --holdout 0 --rank 4 --json
expect exit 1
expect jsonl some /event == "stopped"
shell test -f parts.gguf.checkpoint && RESUME=--resume; loam train reader --data asked.jsonl --out parts.gguf --steps 2 --batch-size 2 --holdout 0 --rank 4 $RESUME && cmp reader.gguf parts.gguf
expect exit 0
# A question and the passage that answers it are enough for a re-ranker and an embedder.
file pairs.jsonl:
    {"question":"How many pumps are there?","passage":"The cellar has six pumps.","negative":"Pumps are not allowed in the yard."}
    {"question":"Who repairs the roof?","passage":"The owner repairs the roof."}
    {"question":"When is rent due?","passage":"Rent is due on the third working day."}
run loam train reranker --data pairs.jsonl --out reranker.gguf --steps 1 --batch-size 2 --holdout 0 --rank 4
expect exit 0
expect file reranker.gguf
run loam train embedder --data pairs.jsonl --out embedder.gguf --steps 1 --batch-size 3 --holdout 0 --rank 4
expect exit 0
expect file embedder.gguf
file tickets.csv:
    message,team
    The invoice is wrong,billing
    I was charged twice,billing
    The lift is stuck,repairs
    Water comes through the roof,repairs
run loam train head --data tickets.csv --text message --label team --out head.gguf --steps 1 --batch-size 4 --holdout 0 --rank 4
expect exit 0
expect file head.gguf
