# proves P-ANS-10 P-CLI-40
# A reader taught in a few steps takes part where it is named or promoted, and is named in the answer.
file asked.jsonl:
    {"question":"How many pumps are there?","context":"The cellar has six pumps.","answers":[{"text":"six","start":15}]}
    {"question":"Who repairs the roof?","context":"The owner repairs the roof.","answers":[{"text":"The owner","start":0}]}
run loam train reader --data asked.jsonl --out reader.gguf --steps 2 --batch-size 2 --holdout 0 --rank 4
expect exit 0
file leave.md: Employees have 27 days of annual leave. Leave is agreed with the line manager.
ingest leave.md
run loam ask --baseline-only --json "How many days of annual leave do employees have?"
expect exit 0
expect json /short_answer missing
expect json /reader missing
run loam ask --baseline-only --min-confidence 0 --reader reader.gguf --json "How many days of annual leave do employees have?"
expect exit 0
expect quotes-match
expect json /reader == "reader"
expect json /short_answer/text is text
expect json /short_answer/citation == 1
expect json /baseline/short_answer/text is text
expect json /timings_ms/baseline is number
run loam ask --baseline-only --min-confidence 0 --reader reader.gguf "How many days of annual leave do employees have?"
expect exit 0
expect out contains [1]
expect out contains finding the words
# Nothing is taken by itself that was not promoted.
run loam ask --baseline-only --json --reader auto "How many days of annual leave do employees have?"
expect exit 0
expect json /reader missing
# An adapter of another kind, and a file that is not there, are told.
run loam ask --baseline-only --reranker reader.gguf "How many days?"
expect exit 2
expect err contains reader
expect err lines 1
run loam ask --baseline-only --reader nowhere.gguf "How many days?"
expect exit 2
expect err contains nowhere.gguf
expect err lines 1
file damaged.gguf: GGUF and no more
run loam ask --baseline-only --reader damaged.gguf "How many days?"
expect exit 2
expect err contains damaged.gguf
expect err lines 1
