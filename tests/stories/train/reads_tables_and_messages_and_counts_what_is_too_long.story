# proves P-TRAIN-08
file table.csv:
    document,prompt,response
    "a, b.md",What is the door code?,4711
    c.md,"Who has
    the keys?","Marta, in room 3"
    c.md,short row
    d.md,"word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word","too long"
run loam train lora --data table.csv --out table.gguf --steps 1 --batch-size 2 --holdout 0 --rank 2 --targets q --seq-len 60 --json
expect exit 0
expect jsonl some /event == "plan"
expect out contains "rows":4,"train":2
expect out contains longer than 60 tokens
expect out contains 2 cells under 3 columns
file chat.jsonl:
    {"messages":[{"role":"system","content":"You are brief."},{"role":"user","content":"Door code?"},{"role":"assistant","content":"4711"},{"role":"user","content":"And the keys?"},{"role":"assistant","content":"Marta"}]}
    {"messages":[{"role":"user","content":[{"type":"text","text":"Where is the ladder?"}]},{"role":"assistant","content":"In the shed"}]}
    {"messages":[{"role":"user","content":"No answer here"}]}
    {"messages":[{"role":"tool","content":"x"}]}
run loam train lora --data chat.jsonl --out chat.gguf --steps 1 --batch-size 2 --holdout 0 --rank 2 --targets q
expect exit 0
expect err contains 1 row without an answer
expect err contains line 4
run loam train lora --data table.csv --out nothing.gguf --holdout 0 --seq-len 8
expect exit 2
expect err contains --seq-len
expect file nothing.gguf missing
