file beir/corpus.jsonl: {"_id":"d1","title":"","text":"The bridge is made of steel."}
file beir/queries.jsonl: {"_id":"q1","text":"bridge"}
file beir/qrels/test.tsv: query-id\tcorpus-id\tscore\nq1\td1\t1
file notes.md: My own notes about gardens.
ingest -c mine notes.md
run loam eval retrieval --ingest -c mine beir
expect exit 2
expect err contains would remove them
run loam search -c mine gardens --json
expect json /hits/length == 1
