file a.md: Words about words.
ingest a.md
run loam ingest --embedder smollm2-135m-instruct-q4_1 a.md
expect exit 2
expect err lines 1
