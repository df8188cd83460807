file a.md: The annual leave is 27 days.
ingest a.md
run loam search --why "annual leave"
expect exit 0
expect out contains a.md
expect out contains 27 days
expect out contains BM25
expect out columns 80
