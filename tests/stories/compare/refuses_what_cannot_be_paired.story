run loam compare 1 2
expect exit 2
expect err contains the ledger is empty
file runs.jsonl:
    {"task":"qa","name":"a","items":[{"id":"q1","scores":{"f1":0.5}},{"id":"q2","scores":{"f1":1}}]}
    {"task":"qa","name":"b","items":[{"id":"q7","scores":{"f1":0.5}},{"id":"q8","scores":{"f1":1}}]}
    {"task":"qa","name":"c","items":[{"id":"q1","scores":{"em":0}}]}
    {"task":"qa","name":"d","metrics":{"f1":0.5}}
    {"task":"qa","name":"e","items":[{"id":"q1","scores":{"f1":1}}]}
run loam ledger import runs.jsonl
expect exit 0
run loam compare 1 2
expect exit 2
expect err contains no item in common
expect err contains Try:
run loam compare 1 3
expect exit 2
expect err contains no score in common
run loam compare 1 4
expect exit 2
expect err contains no results of single items
run loam compare 1 99
expect exit 2
expect err contains there is no such run
expect err contains loam ledger list
run loam compare 1 two
expect exit 2
expect err contains not the number of a run
run loam compare 1
expect exit 2
run loam compare 1 5 --metric accuracy
expect exit 2
expect err contains they share f1
# Two that overlap are compared on what they share, and the rest is counted.
run loam compare 1 5 --json
expect exit 0
expect json /n == 1
expect json /left_out/a == 1
expect json /warnings/0 contains "left out"
expect err contains left out
