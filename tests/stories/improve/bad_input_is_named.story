# Each mistake gets one line that says what is wrong and what to do.
run loam improve
expect exit 2
expect err contains TASK
run loam improve quizz --data x.jsonl
expect exit 2
expect err contains qa
run loam improve retrival --data x
expect exit 2
expect err contains retrieval
run loam improve qa
expect exit 2
expect err contains --data
run loam improve qa --data nowhere.jsonl
expect exit 2
expect err contains nowhere.jsonl
run loam improve qa --data nowhere.jsonl --budget soon
expect exit 2
expect err contains 30m
run loam improve --history --undo
expect exit 2
run loam improve --undo
expect exit 2
file a.md: The notice period is three months. Rent is due on the third day.
ingest a.md
run loam improve --undo
expect exit 1
run loam improve --history
expect exit 1
run loam improve --adopt 77
expect exit 2
expect err contains 77
file q.jsonl:
    {"id":"1","question":"How long is the notice period?","answer":"three months"}
    {"id":"2","question":"When is rent due?","answer":"on the third day"}
run loam improve qa --data q.jsonl --baseline-only --trials 3
expect exit 2
expect err contains too few
expect err contains 15
run loam improve qa --data q.jsonl --baseline-only --trials 3 --metric beauty
expect exit 2
expect err contains worth
run loam improve qa --data q.jsonl --baseline-only --trials 3 --keep ask.pasages
expect exit 2
expect err contains ask.passages
run loam improve qa --data q.jsonl --baseline-only --trials 3 -c nosuch
expect exit 2
file empty.jsonl:
run loam improve qa --data empty.jsonl --baseline-only --trials 3
expect exit 2
file grounded.txt: Answer.
run loam improve qa --data q.jsonl --trials 3 --prompt grounded.txt
expect exit 2
expect err contains built-in
