file runs.jsonl:
    {"task":"classify","name":"tfidf+logreg","at":1763800000,"data":{"file":"tickets.csv","sha256":"0123456789abcdef","items":2},"split":"test","settings":{"ngrams":2},"models":[{"role":"embedder","name":"minilm"}],"seconds":1.5,"tokens":12,"items":[{"id":"line 2","cluster":"customer 1","scores":{"accuracy":1},"output":"refund"},{"id":"line 3","scores":{"accuracy":0},"output":"lost card"}]}
    {"task":"qa","name":"extractive","at":1763800001,"metrics":{"f1":0.5}}
run loam ledger import runs.jsonl --json
expect exit 0
expect json /added == [1, 2]
expect json /already_there == 0
# The same file again adds nothing: its lines name their time.
run loam ledger import runs.jsonl
expect out is 0 runs added; 2 already there
run loam ledger
expect exit 0
expect out lines 3
expect out contains accuracy 0.500
expect out columns 80
run loam ledger list TICKETS logreg --json
expect exit 0
expect json /runs/length == 1
expect json /runs/0/run == 1
expect json /runs/0/config/settings/ngrams == 2
# Words without `list` are a search too, and a misspelt verb is none.
run loam ledger extractive
expect out lines 2
run loam ledger nothing-like-this
expect exit 1
expect out contains No run in the ledger fits
run loam ledger improt runs.jsonl
expect exit 2
expect err contains loam ledger import
run loam ledger --task qa --limit 5
expect out lines 2
run loam ledger show 1
expect exit 0
expect out contains tfidf+logreg (classify)
expect out contains tickets.csv (0123456789ab), 2 items, part: test
expect out contains minilm
expect out matches accuracy +0\.5000
expect out contains loam ledger show 1 --items
expect out lacks lost card
run loam ledger show 1 --items
expect out contains lost card
expect out contains customer 1
expect out columns 80
run loam ledger show 1 --items --json
expect json /item_count == 2
expect json /items/0/id == "line 2"
expect json /items/0/scores/accuracy == 1
expect json /result/tokens == 12
run loam ledger show 7
expect exit 2
expect err contains there is no such run
run loam ledger show first
expect exit 2
expect err contains not the number of a run
