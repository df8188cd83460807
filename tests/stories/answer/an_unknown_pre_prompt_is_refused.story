file a.md: Words.
ingest a.md
run loam ask --pre-prompt nosuch "Words?"
expect exit 2
expect err contains nosuch
expect err lines 1
