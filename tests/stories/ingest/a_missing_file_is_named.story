run loam ingest nosuch.md
expect exit 2
expect err contains nosuch.md
