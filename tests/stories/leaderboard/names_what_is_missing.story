run loam leaderboard classify
expect exit 2
expect err contains the ledger is empty
file runs.jsonl: {"task":"qa","name":"a","data":{"file":"q.jsonl"},"metrics":{"f1":{"value":0.5,"low":0.4,"high":0.6,"n":50}}}
run loam ledger import runs.jsonl
run loam leaderboard classify
expect exit 2
expect err contains the ledger has qa
run loam leaderboard qa --metric accuracy
expect exit 2
expect err contains the newest run has f1
run loam leaderboard qa --data other.jsonl
expect exit 2
expect err contains q.jsonl
run loam leaderboard qa --html missing/board.html
expect exit 2
expect err contains missing/board.html
run loam leaderboard qa
expect exit 0
expect out contains there is nothing yet
run loam leaderboard
expect exit 2
expect err contains TASK is missing
