file a.md: The annual leave is 27 days.
run loam ledger
expect exit 1
ingest a.md
ask-baseline How long is the annual leave?
expect exit 0
expect json /run == 1
ask-baseline What is the boiling point of tungsten?
expect exit 1
run loam ledger --json
expect exit 0
expect json /runs/length == 2
expect json /runs/0/task == "ask"
expect json /runs/0/config/question == "What is the boiling point of tungsten?"
expect json /runs/1/result/answer contains "27"
run loam ledger --limit 1
expect exit 0
expect out lines 2
expect out columns 80
