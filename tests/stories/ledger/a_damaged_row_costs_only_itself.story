file runs.jsonl:
    {"task":"qa","name":"sound","items":[{"id":"q1","scores":{"f1":1}}]}
    {"task":"qa","name":"broken","items":[{"id":"q1","scores":{"f1":0}}]}
    {"task":"qa","name":"other","items":[{"id":"q1","scores":{"f1":0}}]}
run loam ledger import runs.jsonl
shell python3 -c "import os,sqlite3; d=sqlite3.connect(os.environ['LOAM_HOME']+'/loam.db'); d.execute('UPDATE runs SET config=? WHERE id=2',('{half',)); d.commit()"
expect exit 0
run loam ledger show 2
expect exit 2
expect err contains bad data: ledger run 2
expect err contains Try:
run loam compare 1 2
expect exit 2
expect err contains ledger run 2
run loam ledger
expect exit 0
expect out contains damaged
expect out contains sound
run loam leaderboard qa
expect exit 0
expect err contains run 2 is damaged
run loam compare 1 3 --json
expect exit 0
run loam ledger export --csv out.csv
expect exit 0
expect err contains run 2 is damaged and left out
expect file out.csv lacks broken
run loam check
expect exit 1
expect out contains run that is not JSON: 2
