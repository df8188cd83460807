# proves P-ENG-44
# Vectors made with an adapter are never searched without it.
file pairs.jsonl:
    {"question":"How many pumps are there?","passage":"The cellar has six pumps."}
    {"question":"Who repairs the roof?","passage":"The owner repairs the roof."}
run loam train embedder --data pairs.jsonl --out embedder.gguf --steps 1 --batch-size 2 --holdout 0 --rank 4
expect exit 0
file leave.md: Employees have 27 days of annual leave.
run loam ingest --embedder-adapter embedder.gguf leave.md
expect exit 0
run loam search "annual leave"
expect exit 2
expect err contains cannot be searched with
expect err lines 1
run loam search --embedder-adapter embedder.gguf --json "annual leave"
expect exit 0
expect json /hits/0/source contains "leave.md"
