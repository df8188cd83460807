# proves P-RET-06 P-CLI-40
file pairs.jsonl:
    {"question":"How many pumps are there?","passage":"The cellar has six pumps.","negative":"Pumps are not allowed in the yard."}
    {"question":"Who repairs the roof?","passage":"The owner repairs the roof."}
run loam train reranker --data pairs.jsonl --out reranker.gguf --steps 1 --batch-size 2 --holdout 0 --rank 4
expect exit 0
file leave.md: Employees have 27 days of annual leave.
file car.md: The parking garage is open from six in the morning.
ingest leave.md car.md
run loam search --json --reranker reranker.gguf "annual leave"
expect exit 0
expect json /hits/0/why/rerank is number
expect json /hits/0/why/rerank_rank is number
run loam search --json "annual leave"
expect exit 0
expect json /hits/0/why/rerank == null
expect json /hits/0/why/rerank_rank missing
run loam search --why --reranker reranker.gguf "annual leave"
expect exit 0
expect out contains re-ranker
run loam explain --json --reranker reranker.gguf "annual leave" leave.md
expect exit 0
expect json /stages/3/name == "re-ranked"
expect json /stages/3/rank is number
expect json /stages/4/name == "shown"
run loam explain --json "annual leave" leave.md
expect exit 0
expect json /stages/3/name == "shown"
run loam doctor --json
expect json /models/reranker == null
expect json /models/reader == null
config [search]; reranker = "reranker.gguf"
run loam doctor --json
expect json /models/reranker contains "reranker.gguf"
