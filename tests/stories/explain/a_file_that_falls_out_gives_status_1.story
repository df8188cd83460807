file a.md: Tea is served at four.
file b.md: The annual leave is 27 days and annual leave is paid.
ingest a.md b.md
run loam explain -k 1 "How much annual leave is there?" a.md
expect exit 1
expect out contains STAGE
