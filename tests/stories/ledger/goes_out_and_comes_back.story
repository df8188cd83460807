run loam ledger export --csv out.csv
expect exit 2
expect err contains the ledger is empty
file runs.jsonl:
    {"task":"classify","name":"=cmd()","at":1763800000,"data":{"file":"tickets.csv","items":1},"metrics":{"ndcg@10":{"value":0.5,"low":0.4,"high":0.6,"n":9}},"items":[{"id":"1","scores":{"ndcg@10":0.5}}]}
run loam ledger import runs.jsonl
run loam ledger export
expect exit 2
expect err contains --csv
run loam ledger export --csv out.csv --jsonl out.jsonl --mlflow mlruns
expect exit 0
expect out is 1 run in out.csv, out.jsonl, mlruns
expect file out.csv contains ndcg@10,0.5,0.4,0.6,9,true
expect file out.csv contains '=cmd()
shell cat mlruns/*/*/metrics/ndcg_at_10
expect out is 1763800000000 0.5 0
run loam ledger import out.jsonl --home other
expect exit 0
run loam ledger show 1 --json --items --home other
expect json /config/name == "=cmd()"
expect json /items/0/id == "1"
run loam ledger export --csv none.csv --task qa
expect exit 1
expect file none.csv missing
run loam ledger export --mlflow out.csv/mlruns
expect exit 2
expect err contains cannot be written
