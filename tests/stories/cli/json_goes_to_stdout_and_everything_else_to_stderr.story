# proves P-CLI-07
file a.md: The annual leave is 27 days.
run loam ingest --json --verbose a.md
expect exit 0
expect jsonl count 1
run loam ask --json --verbose --baseline-only "How long is the annual leave?"
expect exit 0
expect json /answer is text
