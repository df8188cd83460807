file tickets.csv: key,text\nT1,"The printer is broken. The printer shows a red light."\nT2,Please send paper.
run loam summarise --column text --id key tickets.csv --baseline-only --sentences 1
expect exit 0
expect jsonl count 2
expect out contains "id":"T1"
run loam summarise --column body tickets.csv --baseline-only
expect exit 2
expect err contains key, text
