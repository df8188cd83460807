# proves P-EVAL-42
file beir/corpus.jsonl:
    {"_id":"d1","title":"Bridges","text":"The bridge over the river is made of steel."}
    {"_id":"d2","title":"Bread","text":"Bread is baked in the morning at the bakery."}
    {"_id":"d3","title":"Cats","text":"Cats sleep on the sofa all day long."}

file beir/queries.jsonl:
    {"_id":"q1","text":"What is the bridge made of?"}
    {"_id":"q2","text":"When is bread baked?"}

file beir/qrels/test.tsv: query-id\tcorpus-id\tscore\nq1\td1\t1\nq2\td2\t1
run loam eval retrieval --ingest beir --json
expect exit 0
expect json /runs/length == 3
expect json /runs/0/name == "hybrid"
expect json /runs/0/metrics/ndcg@10/value == 1
expect json /runs/0/metrics/ndcg@10/n == 2
expect err contains 3 added
run loam eval retrieval --ingest beir
expect err contains 3 unchanged
run loam eval retrieval nosuch --ingest
expect exit 2
