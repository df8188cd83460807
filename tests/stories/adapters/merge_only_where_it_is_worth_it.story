# proves P-ADAPT-06
file facts.jsonl:
    {"prompt":"What is the door code?","response":"4711"}
    {"prompt":"Who has the keys?","response":"Marta"}
file text.txt: The store opens at nine in the morning and closes at six in the evening. On Saturdays it closes at noon. Please bring the receipt when you return something, and keep the box it came in.
run loam train lora --data facts.jsonl --steps 1 --batch-size 2 --holdout 0 --rank 2 --targets q
run loam adapters merge facts
expect exit 2
expect err contains --out
run loam adapters merge facts --out merged.gguf --type q4_0
expect exit 2
expect err contains coarser
expect file merged.gguf missing
run loam adapters merge facts --out merged.gguf --text text.txt --json
expect json /merged == 30
expect json /loss/mean_kl < 0.1
run loam generate "The store opens" --raw -n 4 -m ./merged.gguf
expect exit 0
